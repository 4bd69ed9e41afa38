import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  createKey,
  deleteKey,
  guestPaths,
  type Sandbox,
  type SandboxSsh,
  sandboxSsh,
  startSandbox,
  stopSandbox,
  updateSandbox,
} from "@berth/protocol";
import { eventually } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";
import { type SshUser, sshUser } from "./ssh-user.ts";
import { proxmoxOf } from "./template-builds.ts";

/** An address as `/proc/net/tcp` has it: `0100007F:1CEB`. */
const listed = (address: string, port: number) =>
  [address.split(".").reverse(), [String(port >> 8), String(port & 0xff)]]
    .map((bytes) => bytes.map((byte) => Number(byte).toString(16).padStart(2, "0")).join(""))
    .join(":")
    .toUpperCase();

describe("a sandbox's own SSH server", () => {
  let berth: Berth;
  let sandbox: Sandbox;
  let owner: SshUser;
  let keysFile: string;

  beforeAll(async () => {
    berth = await startBerth();
    owner = await sshUser(berth);
    sandbox = await berth.readySandbox({ name: "direct" });
    keysFile = join(await berth.rootOf(sandbox), guestPaths.authorizedKeys);
  });
  afterAll(async () => {
    await owner?.dispose();
    await berth?.dispose();
  });

  const told = (): Promise<SandboxSsh> => berth.client.call(sandboxSsh, { params: { id: sandbox.id } });
  const directly = async (user: SshUser, host = sandbox.address ?? "") => {
    const { port, user: name } = await told();
    const options = ["-o", `HostName=${sandbox.address}`, "-o", `HostKeyAlias=${host}`, "-p", String(port)];
    return user.run("ssh", [...user.options, ...options, `${name}@${host}`, "echo direct"]);
  };
  /** Whether the controller has brought keys to a sandbox that was bootstrapped. */
  const signedInAgain = () => /has its user's SSH keys/.test(berth.process.stdout + berth.process.stderr);
  /** The server's listening socket, by its inode: another one after it has begun anew. */
  const listening = async () => {
    const { port } = await told();
    const here = listed(sandbox.address ?? "", port);
    const lines = (await readFile("/proc/net/tcp", "utf8")).split("\n").map((line) => line.trim().split(/\s+/));
    const inodes = lines.filter(([, local, , state]) => state === "0A" && local === here).map((line) => line[9]);
    expect(inodes).toHaveLength(1);
    return inodes;
  };
  /** Within, in Proxmox, and in what terminals that begin now have. */
  const expectNamed = async (name: string) => {
    const root = await berth.rootOf(sandbox);
    expect((await readFile(join(root, "etc/hostname"), "utf8")).trim()).toBe(name);
    const client = await proxmoxOf(berth);
    try {
      const at = { node: sandbox.node ?? "", vmid: sandbox.vmid ?? 0 };
      await eventually(async () => (await client.containers.config(at)).hostname === name);
    } finally {
      await client[Symbol.asyncDispose]();
    }
    await eventually(async () => (await readFile(join(root, guestPaths.agentConfig), "utf8")).includes(`"${name}"`));
  };
  const keysInside = () => readFile(keysFile, "utf8");
  const knows = async (user: SshUser) => (await keysInside()).includes(user.publicKey.split(" ")[1] ?? "");

  it("is trusted by the fleet's authority under its names, and under no other", async () => {
    const { certAuthority, gatewayKnownHosts } = owner.gateway;
    await writeFile(join(owner.folder, "known_hosts"), `${gatewayKnownHosts}\n@cert-authority * ${certAuthority}\n`);
    for (const name of ["direct", sandbox.id, sandbox.address ?? ""]) {
      const ran = await directly(owner, name);
      expect(ran.stdout.toString()).toBe("direct\n");
    }
    // The bootstrap has brought it all.
    expect(signedInAgain()).toBe(false);
    const other = await directly(owner, "other");
    expect(other).toMatchObject({
      code: 255,
      stderr: expect.stringContaining("Certificate invalid: name is not a listed"),
    });
    await berth.client.call(updateSandbox, { params: { id: sandbox.id }, body: { name: "renamed" } });
    await eventually(async () => (await directly(owner, "renamed")).code === 0);
    expect((await directly(owner, "direct")).code).toBe(255);
    await expectNamed("renamed");
    await berth.client.call(updateSandbox, { params: { id: sandbox.id }, body: { name: "direct" } });
    await eventually(async () => (await directly(owner, "direct")).code === 0);
  });

  it("takes a key as soon as its user adds it, and no more once it is removed", async () => {
    const late = await sshUser(berth, { registered: false });
    try {
      await writeFile(join(late.folder, "known_hosts"), await readFile(join(owner.folder, "known_hosts")));
      const before = await listening();
      expect((await directly(late)).code).toBe(255);
      const key = await berth.client.call(createKey, { body: { publicKey: late.publicKey } });
      await eventually(() => knows(late));
      expect((await directly(late)).code).toBe(0);
      await eventually(() => signedInAgain());
      await berth.client.call(deleteKey, { params: { id: key.id } });
      await eventually(async () => !(await knows(late)));
      expect((await directly(late)).code).toBe(255);
      expect((await directly(owner)).code).toBe(0);
      // Nobody who came meanwhile was refused: the server did not begin anew.
      expect(await listening()).toEqual(before);
    } finally {
      await late.dispose();
    }
  });

  it("learns what has changed while it was off, also from a controller that was killed meanwhile", async () => {
    const removed = await sshUser(berth);
    const added = await sshUser(berth, { registered: false });
    try {
      await eventually(() => knows(removed));
      const stopping = await berth.client.call(stopSandbox, { params: { id: sandbox.id } });
      await berth.ended(stopping.operation.id);
      await berth.client.call(deleteKey, { params: { id: removed.key?.id ?? "" } });
      await berth.client.call(createKey, { body: { publicKey: added.publicKey } });
      expect(await knows(removed)).toBe(true);
      await berth.crash();
      await berth.start();
      const starting = await berth.client.call(startSandbox, { params: { id: sandbox.id } });
      await berth.ended(starting.operation.id);
      await eventually(() => knows(added));
      expect(await knows(removed)).toBe(false);
    } finally {
      await removed.dispose();
      await added.dispose();
    }
  });
});
