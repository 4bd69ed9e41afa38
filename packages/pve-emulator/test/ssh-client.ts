import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { bundledTemplateKeys } from "@berth/base/node";
import type { EmulatorFacts } from "../src/index.ts";

/** OpenSSH's own client with the bootstrap keys: the host key pinned, nothing of the user's configuration used. */
export class SshClient {
  readonly options: readonly string[];
  readonly target: string;

  private constructor(options: readonly string[], target: string) {
    this.options = options;
    this.target = target;
  }

  static async prepare(facts: EmulatorFacts, address: string, folder: string): Promise<SshClient> {
    const keys = bundledTemplateKeys(facts.token.split("=")[1] ?? "");
    await mkdir(folder, { recursive: true });
    const [identity, knownHosts] = [join(folder, "id"), join(folder, "known_hosts")];
    await writeFile(identity, keys.client.privateKey, { mode: 0o600 });
    await writeFile(knownHosts, `[${address}]:2222 ${keys.host.publicKey}\n`);
    const settings = [
      "StrictHostKeyChecking=yes",
      `UserKnownHostsFile=${knownHosts}`,
      "IdentitiesOnly=yes",
      "BatchMode=yes",
    ];
    const options = ["-F", "none", "-i", identity, ...settings.flatMap((setting) => ["-o", setting])];
    return new SshClient(options, `${userInfo().username}@${address}`);
  }

  /** Runs a command; answers its output. Throws when it fails. */
  run(command: string): Promise<string> {
    return execute("ssh", ["-p", "2222", ...this.options, this.target, command]);
  }

  /** Runs a subsystem with this input. */
  subsystem(name: string, input: string): Promise<string> {
    return execute("ssh", ["-p", "2222", ...this.options, "-s", this.target, name], input);
  }

  /** Copies a file into the container with `sftp` underneath. */
  copyIn(path: string, target: string): Promise<string> {
    return execute("scp", ["-P", "2222", ...this.options, path, `${this.target}:${target}`]);
  }

  /** Copies a folder into the container. */
  sync(path: string, target: string): Promise<string> {
    const shell = ["ssh", "-p", "2222", ...this.options].join(" ");
    return execute("rsync", ["-a", "-e", shell, `${path}/`, `${this.target}:${target}`]);
  }
}

function execute(command: string, args: readonly string[], input = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(command, [...args], { timeout: 20_000 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${command}: ${stderr || error.message}`));
      else resolve(stdout);
    });
    child.stdin?.end(input);
  });
}
