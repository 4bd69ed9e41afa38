import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sshKeyPair } from "@berth/base/node";
import { type BootstrapRequest, guestPaths } from "@berth/protocol";

export const program = join(import.meta.dirname, "../../src/bootstrap/bootstrap.sh");
export const machineId = "0123456789abcdef0123456789abcdef";
export const templateKey = sshKeyPair(Buffer.alloc(32, 1), "bootstrap");
export const ownKey = sshKeyPair(Buffer.alloc(32, 2), "own");
/** What a bootstrap answers that went through. */
export const done = { code: 0, output: { machineId, agentVersion: "1.2.3", hostCertificate: true } };

export const request: BootstrapRequest = {
  hostname: "one",
  hostKey: { privateKey: ownKey.privateKey, publicKey: ownKey.publicKey },
  hostCertificate: "ssh-ed25519-cert-v01@openssh.com AAAAIHNz one (sbx_1)",
  authorizedKeys: ["ssh-ed25519 AAAA controller", "ssh-ed25519 BBBB person"],
  agent: {
    sandboxId: "sbx_1",
    sandboxName: "one",
    controllerUrl: "wss://127.0.0.1:1",
    controllerCertificate: "-----BEGIN CERTIFICATE-----\nPEM\n-----END CERTIFICATE-----\n",
    secret: "s".repeat(43),
    env: { A: "b" },
  },
};

/** Makes what a fresh clone has below a root, in place of whatever was in these folders. */
export function layOutClone(root: string): void {
  for (const folder of ["etc", guestPaths.programs]) rmSync(join(root, folder), { recursive: true, force: true });
  for (const folder of ["etc/ssh", "etc/berth", "run", guestPaths.programs]) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  writeFileSync(join(root, guestPaths.machineId), `${machineId}\n`);
  writeFileSync(join(root, guestPaths.hostname), "template\n");
  writeFileSync(join(root, guestPaths.sshHostKey), templateKey.privateKey, { mode: 0o600 });
  writeFileSync(join(root, `${guestPaths.sshHostKey}.pub`), `${templateKey.publicKey}\n`);
  writeFileSync(join(root, guestPaths.authorizedKeys), `${templateKey.publicKey}\n`);
  writeFileSync(join(root, guestPaths.programs, "version"), "1.2.3\n");
}

export interface Ended {
  readonly code: number | null;
  /** What it answered, if that was JSON. */
  readonly output: unknown;
}

/** Runs a bootstrap to its end. */
export async function runBootstrap(
  input: string | Uint8Array,
  env: Readonly<Record<string, string | undefined>>,
  [command, ...args]: readonly [string, ...string[]] = ["sh", program],
): Promise<Ended> {
  const child = spawn(command, args, {
    env,
    stdio: ["pipe", "pipe", process.env.BERTH_TEST_LOG ? "inherit" : "ignore"],
  });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  // One that ends without reading all of it.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const text = Buffer.concat(chunks).toString();
  return { code, output: text === "" ? undefined : JSON.parse(text) };
}

/** Everything that the bootstrap may change, as one text that differs if any file was written, replaced, or added. */
export function stateOf(root: string): string {
  const files = readdirSync(join(root, "etc"), { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  const paths = files.map((file) => join(file.parentPath, file.name)).sort();
  return paths
    .map((path) => {
      const { ino, mode, mtimeMs } = statSync(path);
      return `${path} ${ino} ${mode} ${mtimeMs} ${readFileSync(path, "utf8")}`;
    })
    .join("\n");
}

/** How a command that the bootstrap runs goes wrong: the bootstrap is killed before or after it, or it fails. */
export type Mishap = "killed before" | "killed after" | "failed";
export const mishaps: readonly Mishap[] = ["killed before", "killed after", "failed"];

/** Stands before the commands of the machine, and counts them. */
export class CommandsBetween {
  readonly #folder: string;
  readonly #log: string;

  constructor(folder: string) {
    this.#folder = join(folder, "between");
    this.#log = join(folder, "calls");
    mkdirSync(this.#folder);
    for (const name of ["chown", "flock", "hostname", "mkdir", "mv", "rm", "sync"]) this.add(name, between);
  }

  /** Puts another command in the place of the machine's. */
  add(name: string, script: string): void {
    writeFileSync(join(this.#folder, name), script);
    chmodSync(join(this.#folder, name), 0o755);
  }

  /** The environment in which the command of this number (from 1; 0: none) has a mishap. Forgets what was called. */
  environment(number = 0, mishap: Mishap = "failed"): Record<string, string> {
    rmSync(this.#log, { force: true });
    const path = `${this.#folder}:${process.env.PATH}`;
    return { PATH: path, CALLS: this.#log, MISHAP_AT: String(number), MISHAP: mishap };
  }

  /** What was called since then. */
  get calls(): readonly string[] {
    return existsSync(this.#log) ? readFileSync(this.#log, "utf8").trimEnd().split("\n") : [];
  }
}

const between = `#!/bin/sh
name=\${0##*/}
PATH=\${PATH#*:}
printf '%s\\n' "$name" >>"$CALLS"
[ "$(wc -l <"$CALLS")" -eq "$MISHAP_AT" ] || exec "$name" "$@"
case $MISHAP in
  failed) exit 1 ;;
  'killed after') "$name" "$@" ;;
esac
kill -KILL "$PPID"
`;
