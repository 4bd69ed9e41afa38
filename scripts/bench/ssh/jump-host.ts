import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import type { Scope } from "@berth/base";
import { sshKeyPair } from "@berth/base/node";
import { eventually, freePorts } from "@berth/testkit";

/** A plain sshd of OpenSSH's on loopback that lets one key through to elsewhere: what a gateway is compared to. */
export interface JumpHost {
  readonly port: number;
  /** A line of `known_hosts`. */
  readonly knownHosts: string;
}

const sshd = "/usr/sbin/sshd";

/** Starts a jump host in a folder of its own; the scope ends it. */
export async function startJumpHost(scope: Scope, folder: string, publicKey: string): Promise<JumpHost> {
  const [port = 0] = await freePorts(1);
  const host = sshKeyPair(randomBytes(32), "jump");
  const path = (name: string) => join(folder, name);
  await mkdir("/run/sshd", { recursive: true, mode: 0o755 }).catch(() => {});
  await writeFile(path("host_key"), host.privateKey, { mode: 0o600 });
  await writeFile(path("authorized_keys"), `${publicKey}\n`);
  const config = [
    `ListenAddress 127.0.0.1:${port}`,
    `HostKey ${path("host_key")}`,
    `AuthorizedKeysFile ${path("authorized_keys")}`,
    `PidFile ${path("sshd.pid")}`,
    ...["AuthenticationMethods publickey", "StrictModes no", "UsePAM no", "UseDNS no", "PermitRootLogin yes"],
  ];
  await writeFile(path("sshd_config"), `${config.join("\n")}\n`);
  const child = spawn(sshd, ["-D", "-f", path("sshd_config")], { stdio: "ignore" });
  scope.add(async () => {
    if (child.exitCode !== null) return;
    const ended = once(child, "exit");
    child.kill();
    await ended;
  });
  await eventually(() => answers(port), { what: "the jump host" });
  const [type, key] = host.publicKey.split(" ");
  return { port, knownHosts: `[127.0.0.1]:${port} ${type} ${key}` };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.once("data", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
