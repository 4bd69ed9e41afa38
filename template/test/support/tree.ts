import { createHash } from "node:crypto";
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";

/** What is below a folder, a line a thing: kind, mode, owner, path, and contents or target. Times are left out. */
export async function describeTree(root: string, without: readonly string[] = []): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const entry of await readdir(root, { recursive: true })) {
    if (without.includes(entry)) continue;
    lines.push(`${entry} ${await describe(join(root, entry))}`);
  }
  return lines.sort();
}

async function describe(path: string): Promise<string> {
  const facts = await lstat(path);
  const owner = `${facts.uid}:${facts.gid}`;
  if (facts.isSymbolicLink()) return `link ${owner} ${await readlink(path)}`;
  const mode = (facts.mode & 0o7777).toString(8);
  if (facts.isDirectory()) return `folder ${mode} ${owner}`;
  if (!facts.isFile()) return `other ${mode} ${owner}`;
  const hash = createHash("sha256").update(await readFile(path));
  return `file ${mode} ${owner} ${hash.digest("hex").slice(0, 16)}`;
}
