import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Scope } from "@berth/base";
import { sshKeyPair } from "@berth/base/node";
import { createKey, type SshGateway, type SshKey, sshGateway } from "@berth/protocol";
import { temporaryDirectory } from "@berth/testkit";
import type { Berth } from "./berth.ts";

/** How a program ended. */
export interface ProgramEnd {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Somebody with the real OpenSSH, a key, and a configuration of their own. */
export class SshUser {
  readonly folder: string;
  readonly gateway: SshGateway;
  readonly publicKey: string;
  readonly #scope: Scope;

  constructor(folder: string, gateway: SshGateway, publicKey: string, scope: Scope) {
    this.folder = folder;
    this.gateway = gateway;
    this.publicKey = publicKey;
    this.#scope = scope;
  }

  /** The configuration that every program of OpenSSH is given. */
  get configFile(): string {
    return join(this.folder, "config");
  }

  /** For `ssh`, `scp` and `sftp`: the configuration, in which the gateway is called `gateway`. */
  get options(): string[] {
    return ["-F", this.configFile];
  }

  /** Runs a program to its end, at most a minute unless it is to have longer. */
  async run(
    command: string,
    args: readonly string[],
    input?: Uint8Array | string,
    { timeoutMs = 60_000 }: { timeoutMs?: number } = {},
  ): Promise<ProgramEnd> {
    const child = this.start(command, args);
    const stdout: Buffer[] = [];
    let stderr = "";
    child.stdout.on("data", (bytes: Buffer) => stdout.push(bytes));
    child.stderr.on("data", (bytes: Buffer) => {
      stderr += bytes.toString("utf8");
    });
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    clearTimeout(timer);
    return { code, stdout: Buffer.concat(stdout), stderr };
  }

  /** Runs `ssh` as a user of the gateway. */
  ssh(login: string, args: readonly string[], input?: Uint8Array | string): Promise<ProgramEnd> {
    const [options, command] = splitOptions(args);
    return this.run("ssh", [...this.options, ...options, `${login}@gateway`, ...command], input);
  }

  /** Starts a program; it is ended with this user. */
  start(command: string, args: readonly string[]): ChildProcessWithoutNullStreams {
    const { PATH = "", TERM = "xterm" } = process.env;
    const child = spawn(command, args, { env: { PATH, TERM, HOME: this.folder }, cwd: this.folder });
    this.#scope.add(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
    });
    return child;
  }

  dispose(): Promise<void> {
    return this.#scope.dispose();
  }
}

/** What comes before `--` are options of ssh; the rest is the remote command. */
function splitOptions(args: readonly string[]): [string[], string[]] {
  const at = args.indexOf("--");
  return at === -1 ? [[], [...args]] : [args.slice(0, at), args.slice(at + 1)];
}

/** A user of a Berth with a key that is registered, unless it is not to be; dispose it. */
export async function sshUser(
  berth: Berth,
  { registered = true, more = [] }: { registered?: boolean; more?: readonly string[] } = {},
): Promise<SshUser & { key: SshKey | undefined }> {
  const scope = new Scope();
  const { path: folder, dispose } = await temporaryDirectory("berth-ssh-");
  scope.add(dispose);
  const gateway = await berth.client.call(sshGateway, {});
  const pair = sshKeyPair(randomBytes(32), "somebody");
  const identity = join(folder, "id");
  await writeFile(identity, pair.privateKey, { mode: 0o600 });
  await writeFile(join(folder, "known_hosts"), `${gateway.gatewayKnownHosts}\n`);
  const lines = [
    "Host gateway",
    "  HostName 127.0.0.1",
    `  Port ${gateway.port}`,
    "Host *",
    `  IdentityFile ${identity}`,
    "  IdentitiesOnly yes",
    "  IdentityAgent none",
    "  BatchMode yes",
    "  StrictHostKeyChecking yes",
    `  UserKnownHostsFile ${join(folder, "known_hosts")}`,
    "  GlobalKnownHostsFile /dev/null",
    "  LogLevel ERROR",
    ...more.map((line) => `  ${line}`),
  ];
  await writeFile(join(folder, "config"), `${lines.join("\n")}\n`);
  const key = registered
    ? await berth.client.call(createKey, { body: { name: "somebody", publicKey: pair.publicKey } })
    : undefined;
  return Object.assign(new SshUser(folder, gateway, pair.publicKey, scope), { key });
}
