import { constants } from "node:fs";
import { chmod, copyFile, lchown, lstat, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isErrno } from "@berth/base/node";
import type { Payload } from "../payload.ts";
import { type Entry, ownerIds } from "./entry.ts";
import { payloadEntries } from "./payload-entries.ts";

export interface LayOutOptions {
  /** Added to every owner's id: 100000 where an unprivileged container's root is 100000 on the machine. */
  readonly idOffset?: number;
}

/**
 * Writes the payload below a root, which is empty or a whole Debian. Needs root. Files that are there are replaced,
 * folders that are there are kept with the owner and mode that the payload says. Large files share their blocks with
 * this machine's where the file system can.
 */
export async function layOut(root: string, payload: Payload, options: LayOutOptions = {}): Promise<void> {
  for (const entry of await payloadEntries(payload)) {
    const path = join(root, entry.path);
    await place(path, entry);
    const id = (entry.kind === "link" ? 0 : ownerIds[entry.owner]) + (options.idOffset ?? 0);
    await lchown(path, id, id);
    // After the owner: changing that one clears the bits of a set-uid program.
    if (entry.kind !== "link") await chmod(path, entry.mode);
  }
}

async function place(path: string, entry: Entry): Promise<void> {
  if (entry.kind === "directory") {
    if (!(await isDirectory(path))) await mkdir(path);
    return;
  }
  // Not written through: what is there may be a link to elsewhere, or a hard link of a file that others use.
  await rm(path, { force: true });
  switch (entry.kind) {
    case "file":
      return writeFile(path, entry.contents, { flag: "wx" });
    case "copy":
      return copyFile(entry.from, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    case "link":
      return symlink(entry.target, path);
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isDirectory();
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}
