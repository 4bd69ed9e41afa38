import { constants, type Dirent, readdirSync } from "node:fs";
import { open } from "node:fs/promises";
import { below, type RawPath } from "../raw-path.ts";
import { type IgnoreFile, passedOver } from "./rules.ts";

const kinds: ReadonlyMap<string, IgnoreFile["kind"]> = new Map([
  [".gitignore", "git"],
  [".berthignore", "berth"],
]);
/** So long one turn of the event loop may be taken by reading folders, in milliseconds. */
const sliceMs = 8;
const limits = { files: 5_000, bytes: 256 * 1024, folders: 200_000 };

/** The ignore files of a folder of this machine. Links are not followed; what cannot be read does not count. */
export async function findIgnoreFiles(root: string): Promise<IgnoreFile[]> {
  const found: IgnoreFile[] = [];
  const waiting: RawPath[] = [""];
  let sliceEnd = performance.now() + sliceMs;
  for (let looked = 0; looked < limits.folders && found.length < limits.files; looked += 1) {
    const folder = waiting.pop();
    if (folder === undefined) break;
    // Another thread for each of many folders would take longer than all of them.
    if (performance.now() > sliceEnd) {
      await new Promise((resolve) => setImmediate(resolve));
      sliceEnd = performance.now() + sliceMs;
    }
    for (const entry of entriesOf(below(root, folder))) {
      const { name } = entry;
      const kind = kinds.get(name);
      const path = () => (folder === "" ? name : `${folder}/${name}`);
      if (entry.isDirectory()) {
        if (!passedOver.has(name)) waiting.push(path());
      } else if (kind && entry.isFile()) {
        const text = await readSmall(below(root, path()));
        if (text !== undefined) found.push({ folder, kind, text });
      }
    }
  }
  return found;
}

function entriesOf(folder: Buffer): Dirent[] {
  try {
    // Bytes as letters, as in all paths here.
    return readdirSync(folder, { withFileTypes: true, encoding: "latin1" });
  } catch {
    return [];
  }
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
