import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Scope } from "@berth/base";
import { eventually, type TemporaryDirectory, temporaryDirectory } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningEmulator, startEmulator } from "../src/index.ts";
import { debianAppliance } from "../src/storage/appliance.ts";
import { ApiClient, type ApiParameters, field, payloadFolder } from "./api-client.ts";
import { requireLxc, run, untested } from "./lxc-traces.ts";

const { template } = debianAppliance;
/** Other tests may keep the machine busy. */
const patience = { timeoutMs: 60_000 };

const scope = new Scope();
let directory: TemporaryDirectory;
let emulator: RunningEmulator;
let api: ApiClient;
let root: ApiClient;
let publicKey: string;
/** The SSH host keys' fingerprints of the container that was made, as its task's log told them. */
let fingerprints: string[];

const create = (vmid: number, more: ApiParameters = {}) =>
  api.must("POST", `${api.node}/lxc`, {
    vmid,
    ostemplate: `local:vztmpl/${template}`,
    pool: emulator.pool,
    unprivileged: 1,
    features: "nesting=1",
    rootfs: `${emulator.storage}:3`,
    net0: `name=eth0,bridge=${emulator.bridge},ip=dhcp`,
    hostname: "template-build.lan",
    "ssh-public-keys": publicKey,
    description: "signed",
    ...more,
  });

/** Runs a command as root in a container whose host key has one of the fingerprints. */
async function ssh(vmid: number, command: string): Promise<string> {
  const address = await eventually(async () => {
    const found = await api.address(vmid).catch(() => "");
    return /^\d/.test(found) ? found : undefined;
  }, patience);
  const shown = await eventually(
    async () => (await run("ssh-keyscan", ["-t", "ed25519", "-T", "2", address])).stdout || undefined,
    patience,
  );
  const knownHosts = join(directory.path, `known-${vmid}`);
  await writeFile(knownHosts, shown);
  expect(fingerprints).toContain((await run("ssh-keygen", ["-l", "-f", knownHosts])).stdout.split(" ")[1]);
  const settings = ["StrictHostKeyChecking=yes", `UserKnownHostsFile=${knownHosts}`, "BatchMode=yes"];
  const options = ["-F", "none", "-i", join(directory.path, "id"), ...settings.flatMap((one) => ["-o", one])];
  return (await run("ssh", [...options, `root@${address}`, command], { timeout: 20_000 })).stdout;
}

describe.skipIf(untested !== undefined)(`a template made through the API (${untested ?? "on LXC"})`, () => {
  beforeAll(async () => {
    await requireLxc();
    directory = await temporaryDirectory();
    scope.add(() => directory.dispose());
    emulator = await startEmulator({
      dataDir: join(directory.path, "data"),
      backend: "lxc",
      isolated: true,
      payload: { programs: payloadFolder },
    });
    scope.own(emulator);
    api = await ApiClient.open(emulator, join(directory.path, "data"));
    root = await api.asRoot();
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "builder", "-f", join(directory.path, "id")]);
    publicKey = (await readFile(join(directory.path, "id.pub"), "utf8")).trim();
    // The first one on a machine makes a Debian.
  }, 600_000);

  afterAll(() => scope.dispose(), 60_000);

  it("begins with an archive that is downloaded once", async () => {
    const download = () => api.must("POST", `${api.node}/aplinfo`, { storage: "local", template });
    const first = String(await download());
    expect(await api.follow(first)).toBe("OK");
    expect((await api.log(first)).at(-2)).toMatch(/^download of '.*' to '.*' finished$/);
    const volumes = await api.must("GET", `${api.node}/storage/local/content`, { content: "vztmpl" });
    expect(volumes).toMatchObject([{ volid: `local:vztmpl/${template}`, format: "tzst" }]);
    const second = String(await download());
    expect(await api.follow(second)).toBe("OK");
    expect((await api.log(second))[1]).toMatch(/no need to download/);
  });

  it("leaves nothing behind when the creation is stopped, and tells of it meanwhile no more than its lock", async () => {
    const upid = String(await create(301));
    expect(Object.keys(Object(await root.must("GET", `${api.container(301)}/config`))).sort()).toEqual([
      "digest",
      "lock",
    ]);
    expect((await api.call("GET", `${api.container(301)}/config`)).status).toBe(403);
    expect((await api.call("GET", "/cluster/nextid", { vmid: 301 })).status).toBe(400);
    expect((await root.call("PUT", `${api.container(301)}/config`, { cores: 2 })).reason).toBe("CT is locked (create)");
    await api.must("DELETE", `${api.node}/tasks/${encodeURIComponent(upid)}`);
    expect(await api.follow(upid)).toBe("unable to create CT 301 - interrupted by signal");
    expect((await root.call("GET", `${api.container(301)}/config`)).status).toBe(500);
    expect(await readdir(join(directory.path, "data", "containers"))).not.toContain("301");
  });

  it("says in the task when there is no such archive", async () => {
    const exit = await api.follow(String(await create(301, { ostemplate: "local:vztmpl/none.tar.gz" })));
    expect(exit).toMatch(/^unable to create CT 301 - failed to open '.*none\.tar\.gz': No such file or directory$/);
  });

  it("is made with SSH host keys that the log tells, and what was ordered", { timeout: 180_000 }, async () => {
    const upid = String(await create(300, { start: 1 }));
    expect(await api.follow(upid)).toBe("OK");
    const log = await api.log(upid);
    expect(log[0]).toMatch(/^extracting archive /);
    expect(log.some((line) => /^Total bytes read: \d+ \(.+\)$/.test(line))).toBe(true);
    fingerprints = log.flatMap((line) => /^done: (SHA256:\S{43}) root@template-build$/.exec(line)?.[1] ?? []);
    expect(fingerprints.length).toBeGreaterThanOrEqual(3);
    expect(await api.must("GET", `${api.container(300)}/config`)).toMatchObject({
      hostname: "template-build.lan",
      description: "signed\n",
      features: "nesting=1",
      unprivileged: 1,
      memory: 512,
      ostype: "debian",
      rootfs: expect.stringMatching(/:300\/vm-300-disk-0\.subvol,size=3G$/),
    });
    expect(field(await api.must("GET", `/pools/${emulator.pool}`), "members")).toMatchObject([{ vmid: 300 }]);
    const said = await ssh(
      300,
      "id -u; hostname; . /etc/os-release; echo $VERSION_CODENAME; df -B1 --output=size / | tail -1",
    );
    const [uid, hostname, release, size] = said.split("\n");
    expect([uid, hostname, release]).toEqual(["0", "template-build", "bookworm"]);
    expect(Number(size) / 1024 ** 3).toBeGreaterThan(2.6);
    expect(Number(size) / 1024 ** 3).toBeLessThan(3.01);
  });

  it("grows, at the latest with its next start", { timeout: 180_000 }, async () => {
    // Some machines keep the right to grow a mounted file system even from root.
    expect(await api.task("PUT", `${api.container(300)}/resize`, { disk: "rootfs", size: "+1G" })).toBe("OK");
    expect(await api.task("POST", `${api.container(300)}/status/reboot`)).toBe("OK");
    expect(Number(await ssh(300, "df -B1 --output=size / | tail -1")) / 1024 ** 3).toBeGreaterThan(3.6);
  });

  it("becomes a template, whose clones have what was put into it", { timeout: 180_000 }, async () => {
    await ssh(300, "echo baked > /etc/baked; cat /etc/machine-id");
    expect((await api.call("POST", `${api.container(300)}/template`)).reason).toMatch(/if the CT is running$/);
    expect(await api.task("POST", `${api.container(300)}/status/shutdown`)).toBe("OK");
    expect(await api.must("POST", `${api.container(300)}/template`)).toBeNull();
    const isTemplate = async () => field(await api.must("GET", `${api.container(300)}/config`), "template") === 1;
    await eventually(isTemplate, patience);
    expect(await api.task("POST", `${api.container(300)}/clone`, { newid: 302, pool: emulator.pool })).toBe("OK");
    expect(await api.task("POST", `${api.container(302)}/status/start`)).toBe("OK");
    expect(await ssh(302, "cat /etc/baked")).toBe("baked\n");
  });
});
