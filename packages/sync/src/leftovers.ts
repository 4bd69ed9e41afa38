import { type BigIntStats, type Dirent, lstatSync, readdirSync } from "node:fs";
import { below, type RawPath } from "./raw-path.ts";
import { markerFile, ownFolder } from "./side.ts";

/** So long one turn of the event loop may be taken by looking for them, in milliseconds. */
const sliceMs = 8;
const temporaryName = /^\.[^/]*\.[A-Za-z0-9]{6}$/;

/**
 * Whether a file may be one that rsync was writing: `.NAME.XXXXXX` beside the file that it was to become, of which a long
 * NAME is cut and one dot at either end is left out (rsync's `get_tmpname`). While its contents come, it is its owner's
 * alone. Just before it gets its name, it gets its rights; then `.env.sample` would look the same, but mkstemp(3) draws
 * six small letters once in 190 times only.
 */
export function isTemporary(name: RawPath, mode: number): boolean {
  return temporaryName.test(name) && ((mode & 0o7277) === 0o200 || /[A-Z0-9]/.test(name.slice(-6)));
}

/**
 * What an rsync that was killed has left of the files that it was writing, in a folder of this machine; nothing where no
 * run left its marker. Only what has changed since the marker was written counts: its time of change is nobody's to set.
 */
export async function findLeftovers(root: string): Promise<RawPath[]> {
  const marker = lstatSync(below(root, markerFile), { bigint: true, throwIfNoEntry: false });
  if (!marker?.isFile()) return [];
  const found: RawPath[] = [];
  const waiting: RawPath[] = [""];
  let sliceEnd = performance.now() + sliceMs;
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    if (performance.now() > sliceEnd) {
      await new Promise((resolve) => setImmediate(resolve));
      sliceEnd = performance.now() + sliceMs;
    }
    for (const entry of entriesOf(below(root, folder))) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        if (path !== ownFolder) waiting.push(path);
      } else if (temporaryName.test(entry.name) && isLeft(root, path, entry.name, marker)) found.push(path);
    }
  }
  return found;
}

function isLeft(root: string, path: RawPath, name: RawPath, marker: BigIntStats): boolean {
  const stats = lstatSync(below(root, path), { bigint: true, throwIfNoEntry: false });
  return stats?.isFile() === true && stats.ctimeNs > marker.mtimeNs && isTemporary(name, Number(stats.mode));
}

function entriesOf(folder: Buffer): Dirent[] {
  try {
    // Bytes as letters, as in all paths here.
    return readdirSync(folder, { withFileTypes: true, encoding: "latin1" });
  } catch {
    return [];
  }
}
