import { readdirSync, readFileSync } from "node:fs";
import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Scope } from "@berth/base";
import { eventually } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../src/backend/lxc/network/commands.ts";
import { namesOf } from "../src/backend/lxc/network/names.ts";
import { type Lease, nameServersOf, remains, StandIn } from "./lxc-network-container.ts";
import { lab as addresses, fixture, Lab, type Opener, start } from "./lxc-network-lab.ts";

const scope = new Scope();
let lab: Lab;
const port = 7401;

beforeAll(async () => {
  lab = await Lab.create(scope);
  await lab.machine.serve(scope, [port]);
});
afterAll(async () => {
  await scope.dispose();
});

/** Everything that a network is for. */
async function expectItWorks(opener: Opener, container: StandIn, expected?: Lease): Promise<Lease> {
  const lease = await container.lease();
  if (expected) expect(lease).toEqual(expected);
  const serving = new Scope();
  await container.namespace.serve(serving, [22]);
  expect(await lab.machine.ask(lease.address, 22)).toBe(opener.hostAddress);
  await serving.dispose();
  expect(await container.namespace.ask(opener.hostAddress, port)).toBe(lease.address);
  expect(await container.namespace.ask(addresses.machine, port, 0.2)).toBeUndefined();
  expect(await container.namespace.ask(addresses.site, 80)).toBe(addresses.machine);
  expect(await container.resolve(addresses.siteName, lease.dns)).toBe(addresses.site);
  return lease;
}

describe("the next opening of a network mends", () => {
  const names = () => namesOf(lab.dataDir("mended"), "vmbr0");
  const inNamespace = (...argv: string[]) => run(["nsenter", `--net=${names().namespacePath}`, "--", ...argv]);
  const onMachine = (...argv: string[]) => lab.machine.run(argv);
  const endNameServer = async () => {
    for (const pid of nameServersOf(lab.dataDir("mended"))) process.kill(pid, "SIGKILL");
    await eventually(() => nameServersOf(lab.dataDir("mended")).length === 0);
  };
  const parts: Record<string, () => Promise<unknown>> = {
    "its bridge": () => inNamespace("ip", "link", "del", "dev", "vmbr0"),
    "its bridge's address": () => inNamespace("ip", "address", "flush", "dev", "vmbr0"),
    "a port that left the bridge": () => inNamespace("ip", "link", "set", "dev", container.port, "nomaster"),
    "its link": () => onMachine("ip", "link", "del", "dev", names().link),
    "the link's address on the machine": () => onMachine("ip", "address", "flush", "dev", names().link),
    "the link's address in the namespace": () => inNamespace("ip", "address", "flush", "dev", "uplink"),
    "a link that is down": () => onMachine("ip", "link", "set", "dev", names().link, "down"),
    "the machine's route": async () =>
      onMachine("ip", "route", "del", `${lease.address}/22`.replace(/\d+\/22/, "0/22")),
    "the namespace's route": () => inNamespace("ip", "route", "del", "default"),
    "the machine's rules": () => onMachine("nft", "delete", "table", "inet", names().table),
    "the namespace's rules": () => inNamespace("nft", "flush", "ruleset"),
    "its name server": endNameServer,
    "its runtime folder": () => rm(names().runtimeDir, { recursive: true }),
    "forwarding that was turned off": () => onMachine("sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward"),
  };
  const withNewCard: Record<string, () => Promise<unknown>> = {
    "its namespace": () => run(["ip", "netns", "del", names().namespace]),
    "a namespace that nothing is mounted on": () => run(["umount", names().namespacePath]),
    "everything, after a restart of the machine": async () => {
      await endNameServer();
      await onMachine("ip", "link", "del", "dev", names().link);
      await run(["ip", "netns", "del", names().namespace]);
      await onMachine("nft", "flush", "ruleset");
      await rm(names().runtimeDir, { recursive: true });
    },
  };
  let opener: Opener;
  let container: StandIn;
  let lease: Lease;

  beforeAll(async () => {
    opener = await lab.open("mended", "open");
    container = await StandIn.create(lab, opener, 101);
    lease = await expectItWorks(opener, container);
  });
  afterAll(async () => {
    await lab.takeDown("mended");
    expect(await remains(lab, lab.dataDir("mended"))).toEqual([]);
  });

  it.each(Object.keys(parts))("%s", async (part) => {
    await opener.kill();
    await parts[part]?.();
    opener = await lab.open("mended", "open");
    await expectItWorks(opener, container, lease);
  });

  it.each(Object.keys(withNewCard))("%s, for containers that start again", async (part) => {
    await opener.kill();
    await withNewCard[part]?.();
    opener = await lab.open("mended", "open");
    await container.unplug().catch(() => {});
    await container.plug();
    await expectItWorks(opener, container, lease);
  });

  it("a name server that dies while the network is open, when the next container starts", async () => {
    await endNameServer();
    const next = await StandIn.create(lab, opener, 102);
    await expectItWorks(opener, next);
    await expectItWorks(opener, container, lease);
  });
});

describe("a network whose making or removal is cut off at any command", () => {
  it("is made whole by the next opening, and removed without a trace", async () => {
    const commands = await openAndDispose(0, "before");
    expect(commands.length).toBeGreaterThan(10);
    const cuts = commands.flatMap((command, index) => {
      const before = { step: index + 1, when: "before" } as const;
      // What a command leaves is what the next one finds, but for the one that stays.
      return command.includes("dnsmasq") ? [before, { ...before, when: "after" } as const] : [before];
    });
    for (const { step, when } of cuts) {
      await openAndDispose(step, when);
      const opener = await lab.open("cut", "open");
      const container = await StandIn.create(lab, opener, 101);
      const { address } = await container.lease();
      expect(await container.namespace.ask(opener.hostAddress, port)).toBe(address);
      expect(await container.namespace.ask(addresses.site, 80)).toBe(addresses.machine);
      await opener.dispose();
      expect(await remains(lab, lab.dataDir("cut")), `killed ${when} ${commands[step - 1]}`).toEqual([]);
    }
  }, 240_000);

  /** Opens and disposes a network with a process that is killed around one of its commands. Answers them. */
  async function openAndDispose(killAt: number, when: "before" | "after"): Promise<readonly string[]> {
    const folder = join(lab.folder, "counted");
    const steps = join(folder, "steps");
    await rm(folder, { recursive: true, force: true });
    await mkdir(steps, { recursive: true });
    await writeFile(join(folder, "kill-at"), `${killAt} ${when}\n`);
    for (const name of ["ip", "nft", "nsenter"]) await symlink(fixture("counted-command.sh"), join(folder, name));
    await mkdir(lab.dataDir("cut"), { recursive: true });
    const own = new Scope();
    const child = start(own, lab.opening(lab.dataDir("cut"), "open", `${folder}:${process.env.PATH}`));
    child.stdout?.resume();
    const ended = new Promise((resolve) => child.once("close", resolve));
    child.stdin?.end(`${JSON.stringify({ call: "dispose" })}\n`);
    await ended;
    await own.dispose();
    const ordered = readdirSync(steps).sort((a, b) => Number(a) - Number(b));
    return ordered.map((step) => readFileSync(join(steps, step, "command"), "utf8").trim());
  }
});
