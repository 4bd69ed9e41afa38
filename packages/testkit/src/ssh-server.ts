import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { freePorts } from "./berth/free-ports.ts";
import { eventually } from "./eventually.ts";
import { type SpawnedProcess, spawnProcess } from "./process/spawn-process.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

export interface SshServerOptions {
  /** The host's private key, as OpenSSH writes it. */
  hostKey: string;
  /** Public keys that may sign in. */
  authorizedKeys: readonly string[];
  /** Variables of every session. */
  env?: Readonly<Record<string, string>>;
}

/** OpenSSH's server on a port of 127.0.0.1, for whoever runs the tests. */
export interface SshServer {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly process: SpawnedProcess;
  dispose(): Promise<void>;
}

/** Starts a real sshd; dispose it, which also ends its sessions. */
export async function startSshServer(options: SshServerOptions): Promise<SshServer> {
  const folder = await temporaryDirectory("berth-sshd-");
  const [port = 0] = await freePorts(1);
  const { username } = userInfo();
  if (process.getuid?.() === 0) await mkdir("/run/sshd", { recursive: true });
  const hostKey = join(folder.path, "host_key");
  const authorized = join(folder.path, "authorized_keys");
  const config = join(folder.path, "sshd_config");
  await writeFile(hostKey, options.hostKey, { mode: 0o600 });
  await writeFile(authorized, `${options.authorizedKeys.join("\n")}\n`, { mode: 0o600 });
  const variables = Object.entries(options.env ?? {}).map(([name, value]) => `"${name}=${value}"`);
  const lines = [
    `ListenAddress 127.0.0.1:${port}`,
    `HostKey "${hostKey}"`,
    `AuthorizedKeysFile "${authorized}"`,
    `PidFile "${join(folder.path, "pid")}"`,
    `AllowUsers ${username}`,
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "PermitRootLogin prohibit-password",
    "StrictModes no",
    "UsePAM no",
    "UseDNS no",
    "PermitUserRC no",
    "PrintMotd no",
    "PrintLastLog no",
    "MaxStartups 100",
    "Subsystem sftp internal-sftp",
    ...(variables.length > 0 ? [`SetEnv ${variables.join(" ")}`] : []),
    "",
  ];
  await writeFile(config, lines.join("\n"), { mode: 0o600 });
  const server = spawnProcess({ command: "/usr/sbin/sshd", args: ["-D", "-e", "-f", config] });
  const dispose = async () => {
    server.kill("SIGTERM");
    await server.exited;
    await folder.dispose();
  };
  try {
    await eventually(() => answers(port), { what: `an sshd on port ${port}` });
  } catch (error) {
    await dispose();
    throw error;
  }
  return { host: "127.0.0.1", port, username, process: server, dispose };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("data", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
