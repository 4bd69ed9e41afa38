import { constants } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { below, type RawPath, rawPath } from "../raw-path.ts";
import { type IgnoreFile, passedOver } from "./rules.ts";

const kinds: ReadonlyMap<string, IgnoreFile["kind"]> = new Map([
  [".gitignore", "git"],
  [".berthignore", "berth"],
]);
const limits = { files: 5_000, bytes: 256 * 1024, folders: 200_000 };

/** The ignore files of a folder of this machine. Links are not followed; what cannot be read does not count. */
export async function findIgnoreFiles(root: string): Promise<IgnoreFile[]> {
  const found: IgnoreFile[] = [];
  const waiting: RawPath[] = [""];
  for (let looked = 0; looked < limits.folders && found.length < limits.files; looked += 1) {
    const folder = waiting.pop();
    if (folder === undefined) break;
    const entries = await readdir(below(root, folder), { withFileTypes: true, encoding: "buffer" }).catch(() => []);
    for (const entry of entries) {
      const name = rawPath(entry.name);
      const path = folder === "" ? name : `${folder}/${name}`;
      if (entry.isDirectory()) {
        if (!passedOver.has(name)) waiting.push(path);
        continue;
      }
      const kind = entry.isFile() ? kinds.get(name) : undefined;
      const text = kind && (await readSmall(below(root, path)));
      if (kind && text !== undefined) found.push({ folder, kind, text });
    }
  }
  return found;
}

async function readSmall(path: Buffer): Promise<string | undefined> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { bytesRead, buffer } = await file.read({ buffer: Buffer.alloc(limits.bytes) });
      return buffer.toString("latin1", 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}
