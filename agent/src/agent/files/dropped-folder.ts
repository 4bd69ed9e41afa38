import { lstat, unlink } from "node:fs/promises";
import { isErrno } from "@berth/base/node";
import { Folder } from "./folder.ts";

/** Where dropped files go, below the workspace: so Claude may read them without asking. */
export const droppedPath = [".berth", "dropped"] as const;

/** What all dropped files together may be: beyond it the oldest are removed. */
export const keptLimits = { bytes: 512 * 1024 * 1024, files: 1000 };
/** Entries that are looked at; programs of the sandbox may have put any number there. */
const maxEntries = 10_000;

const temporaryName = /^\.upload-[0-9a-f]{12}\.part$/;

/**
 * Opens the folder for dropped files in the workspace, and makes it if needed. Git ignores it by itself. What an agent
 * that was killed has left half-written there is removed; `underWay` names what is still being written.
 */
export async function openDroppedFolder(workspace: string, underWay: ReadonlySet<string>): Promise<Folder> {
  let folder = await Folder.open(workspace);
  for (const name of droppedPath) {
    const outer = folder;
    try {
      folder = await outer.enter(name);
    } finally {
      await outer.close();
    }
  }
  try {
    await ignoreForGit(folder);
    for await (const name of names(folder)) {
      if (temporaryName.test(name) && !underWay.has(name)) await remove(folder, name);
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
  for await (const name of names(folder)) {
    const found = name.startsWith(".") ? undefined : await facts(folder, name);
    if (found?.isFile()) files.push({ name, bytes: found.size, writtenMs: found.mtimeMs });
  }
  let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  let count = files.length;
  for (const file of files.sort((a, b) => a.writtenMs - b.writtenMs)) {
    if (bytes <= limits.bytes && count <= limits.files) return;
    if (file.name === newest) continue;
    await remove(folder, file.name);
    bytes -= file.bytes;
    count -= 1;
  }
}

async function* names(folder: Folder): AsyncGenerator<string> {
  let looked = 0;
  for await (const { name } of await folder.entries()) {
    yield name;
    looked += 1;
    if (looked >= maxEntries) return;
  }
}

async function ignoreForGit(folder: Folder): Promise<void> {
  try {
    const file = await folder.create(".gitignore");
    try {
      await file.writeFile("*\n");
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
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

async function remove(folder: Folder, name: string): Promise<void> {
  try {
    await unlink(folder.entry(name));
  } catch (error) {
    // Whoever made a folder of this name, it is no file of ours.
    if (!isErrno(error, "ENOENT") && !isErrno(error, "EISDIR")) throw error;
  }
}
