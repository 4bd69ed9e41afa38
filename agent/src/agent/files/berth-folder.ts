import { unlink } from "node:fs/promises";
import { isErrno } from "@berth/base/node";
import { Folder } from "./folder.ts";

/** Berth's own folder in a workspace. */
const ownName = ".berth";
/** Entries that are looked at; programs of the sandbox may have put any number there. */
const maxEntries = 10_000;

/** Opens a folder of Berth's in the workspace, and makes it if needed. Git ignores it by itself. */
export async function openBerthFolder(workspace: string, name: string): Promise<Folder> {
  let folder = await Folder.open(workspace);
  for (const step of [ownName, name]) {
    const outer = folder;
    try {
      folder = await outer.enter(step);
    } finally {
      await outer.close();
    }
  }
  try {
    await ignoreForGit(folder);
    return folder;
  } catch (error) {
    await folder.close();
    throw error;
  }
}

/** The names in a folder, but no more than anybody can have wanted. */
export async function* namesIn(folder: Folder): AsyncGenerator<string> {
  let looked = 0;
  for await (const { name } of await folder.entries()) {
    yield name;
    looked += 1;
    if (looked >= maxEntries) return;
  }
}

/** Removes a file, if it is there. A folder of that name is no file of Berth's. */
export async function removeFile(folder: Folder, name: string): Promise<void> {
  try {
    await unlink(folder.entry(name));
  } catch (error) {
    if (!isErrno(error, "ENOENT") && !isErrno(error, "EISDIR")) throw error;
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
