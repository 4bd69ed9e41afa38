import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";
import { Scope } from "@berth/base";
import { sshKeyPair } from "@berth/base/node";
import { newId } from "@berth/protocol";
import { type SshServer, startSshServer, temporaryDirectory } from "@berth/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connectSsh } from "../src/bootstrap/connect.ts";
import { type FleetKeys, loadFleetKeys } from "../src/fleet/keys.ts";
import { type ReachableRow, SandboxSsh } from "../src/ssh/sandbox-ssh.ts";

const run = promisify(execFile);

describe("the way to a sandbox by SSH", () => {
  let scope: Scope;
  let keys: FleetKeys;
  let dataDir: string;
  const id = newId("sandbox");

  beforeEach(async () => {
    scope = new Scope();
    const folder = await temporaryDirectory("berth ssh % test-");
    scope.add(() => folder.dispose());
    dataDir = folder.path;
    keys = await loadFleetKeys(dataDir);
  });
  afterEach(() => scope.dispose());

  async function server(options: { hostKey?: string; root?: string } = {}): Promise<SshServer> {
    const started = await startSshServer({
      hostKey: options.hostKey ?? keys.hostKey(id).privateKey,
      authorizedKeys: [keys.sshClient.publicKey],
      ...(options.root === undefined ? {} : { env: { BERTH_ROOT: options.root } }),
    });
    scope.add(() => started.dispose());
    return started;
  }
  const rowOf = ({ host, port, username }: SshServer): ReachableRow => ({
    id,
    name: "one",
    address: host,
    ssh_port: port,
    ssh_user: username,
    bootstrapped_at: new Date(),
  });

  it("takes programs that run OpenSSH there, with the fleet's key and the pinned host key alone", async () => {
    const sshd = await server({ root: join(dataDir, "root of it") });
    const { command, host, username, workspace } = await new SandboxSsh({ dataDir, keys }).openSsh(rowOf(sshd));
    const [program, ...args] = command;
    const { stdout } = await run(program, [...args, host, "id -un"]);
    expect({ user: stdout.trim(), username, workspace }).toEqual({
      user: sshd.username,
      username: sshd.username,
      workspace: join(dataDir, "root of it", "workspace"),
    });
  });

  it("finds the workspace of a container at the root", async () => {
    const access = await new SandboxSsh({ dataDir, keys }).openSsh(rowOf(await server()));
    expect(access.workspace).toBe("/workspace");
  });

  it("takes ssh2 there too", async () => {
    const target = await new SandboxSsh({ dataDir, keys }).target(rowOf(await server()));
    const connection = await connectSsh(target);
    connection.close();
    expect(connection.hostKeyFingerprint).toBe(keys.hostKey(id).fingerprint);
  });

  it("speaks to nobody who shows another host key", async () => {
    const ssh = new SandboxSsh({ dataDir, keys });
    const right = rowOf(await server());
    const { command, host } = await ssh.openSsh(right);
    const impostor = await server({ hostKey: sshKeyPair(randomBytes(32), "impostor").privateKey });
    const [program, ...args] = command;
    const attempt = run(program, [...args, "-p", String(impostor.port), host, "true"]);
    await expect(attempt).rejects.toThrow(/HOST IDENTIFICATION HAS CHANGED|Host key verification failed/);
    await expect(new SandboxSsh({ dataDir, keys }).target(rowOf(impostor))).rejects.toThrow(/shows the SSH host key/);
  });

  it("does not try where there is no address or no identity yet", async () => {
    const ssh = new SandboxSsh({ dataDir, keys });
    const sshd = await server();
    for (const missing of [{ address: null }, { bootstrapped_at: null }]) {
      await expect(ssh.target({ ...rowOf(sshd), ...missing })).rejects.toMatchObject({ code: "sandbox_not_ready" });
    }
  });
});
