import { lstat } from "node:fs/promises";
import { isErrno } from "@berth/base/node";
import { namesIn, openBerthFolder, removeFile } from "./berth-folder.ts";
import type { Folder } from "./folder.ts";

/** Where dropped files go, below the workspace: so Claude may read them without asking. */
export const droppedPath = [".berth", "dropped"] as const;

/** What all dropped files together may be: beyond it the oldest are removed. */
export const keptLimits = { bytes: 512 * 1024 * 1024, files: 1000 };

const temporaryName = /^\.upload-[0-9a-f]{12}\.part$/;

/**
 * Opens the folder for dropped files in the workspace, and makes it if needed. Git ignores it by itself. What an agent
 * that was killed has left half-written there is removed; `underWay` names what is still being written.
 */
export async function openDroppedFolder(workspace: string, underWay: ReadonlySet<string>): Promise<Folder> {
  const folder = await openBerthFolder(workspace, droppedPath[1]);
  try {
    for await (const name of namesIn(folder)) {
      if (temporaryName.test(name) && !underWay.has(name)) await removeFile(folder, name);
    }
    return folder;
  } catch (error) {
    await folder.close();
    throw error;
  }
}

/** Removes the oldest files beyond the limits, but never this one. */
export async function removeOldest(folder: Folder, newest: string, limits = keptLimits): Promise<void> {
  const files: { name: string; bytes: number; writtenMs: number }[] = [];
  for await (const name of namesIn(folder)) {
    const found = name.startsWith(".") ? undefined : await facts(folder, name);
    if (found?.isFile()) files.push({ name, bytes: found.size, writtenMs: found.mtimeMs });
  }
  let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  let count = files.length;
  for (const file of files.sort((a, b) => a.writtenMs - b.writtenMs)) {
    if (bytes <= limits.bytes && count <= limits.files) return;
    if (file.name === newest) continue;
    await removeFile(folder, file.name);
    bytes -= file.bytes;
    count -= 1;
  }
}

async function facts(folder: Folder, name: string) {
  try {
    return await lstat(folder.entry(name));
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}
