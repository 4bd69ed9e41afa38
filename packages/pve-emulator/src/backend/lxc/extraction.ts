import { createHash } from "node:crypto";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExtractOptions } from "../backend.ts";
import { run } from "./command.ts";
import type { GuestFile } from "./guest-files.ts";

/** At both ends of an archive: every format of compression has a checksum of all of it there. */
const sampledBytes = 256 * 1024;

/** The layer that an archive becomes: the same one for every container that is made from it, wherever it lies. */
export async function archiveLayerId(archive: string): Promise<string> {
  const file = await open(archive, "r");
  try {
    const { size } = await file.stat();
    const hash = createHash("sha256").update(`${size}\n`);
    for (const position of [0, Math.max(0, size - sampledBytes)]) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(sampledBytes), 0, sampledBytes, position);
      hash.update(buffer.subarray(0, bytesRead));
    }
    return `archive-${hash.digest("hex").slice(0, 16)}`;
  } finally {
    await file.close();
  }
}

const keyTypes = ["ed25519", "ecdsa", "rsa"] as const;

/** What a container made from an archive gets of its own before its first start; the log tells it as Proxmox VE does. */
export async function extractionFiles(bytes: number, options: ExtractOptions): Promise<GuestFile[]> {
  const { hostname, authorizedKeys, rootPassword, log } = options;
  log(`Total bytes read: ${bytes} (${Math.round(bytes / 1024 ** 2)}MiB)`);
  log(`Detected container architecture: ${process.arch === "x64" ? "amd64" : process.arch}`);
  const files: GuestFile[] = [{ path: "etc/machine-id", contents: "uninitialized\n", mode: 0o444, kind: "fresh" }];
  if (authorizedKeys !== undefined) {
    files.push({ path: "root/.ssh/authorized_keys", contents: `${authorizedKeys.trim()}\n`, mode: 0o600 });
  }
  if (rootPassword !== undefined) {
    files.push({ path: "etc/shadow", contents: rootPassword, mode: 0o640, kind: "password" });
  }
  const folder = await mkdtemp(join(tmpdir(), "berth-host-keys-"));
  try {
    for (const type of keyTypes) files.push(...(await makeHostKey(folder, type, `root@${hostname}`, log)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return files;
}

async function makeHostKey(
  folder: string,
  type: (typeof keyTypes)[number],
  comment: string,
  log: (line: string) => void,
): Promise<GuestFile[]> {
  const name = `ssh_host_${type}_key`;
  const path = join(folder, name);
  log(`Creating SSH host key '${name}' - this may take some time ...`);
  await run("ssh-keygen", ["-q", "-t", type, "-N", "", "-C", comment, "-f", path]);
  const [, fingerprint] = (await run("ssh-keygen", ["-l", "-E", "sha256", "-f", `${path}.pub`])).split(" ");
  log(`done: ${fingerprint} ${comment}`);
  const files: GuestFile[] = [];
  for (const [suffix, mode] of [
    ["", 0o600],
    [".pub", 0o644],
  ] as const) {
    files.push({ path: `etc/ssh/${name}${suffix}`, contents: await readFile(`${path}${suffix}`, "utf8"), mode });
  }
  return files;
}
