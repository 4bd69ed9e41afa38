import type { BigIntStats } from "node:fs";
import { readlink } from "node:fs/promises";
import { isErrno } from "@berth/base/node";
import { CallFailure, type EntryFacts } from "@berth/protocol/link";
import { Folder, NotAFolder } from "../files/folder.ts";

/** A place in the workspace: a name in a folder that is held open. Close it. */
export interface Place {
  readonly folder: Folder;
  readonly name: Buffer;
}

/** The workspace's folders, entered name by name without following any link. */
export class WorkspaceTree {
  /** Trusted: no user of the sandbox can put another folder there. */
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Opens the folder of these names; the caller closes it. Rejects with ENOENT, or `NotAFolder`. */
  async folder(names: readonly Buffer[]): Promise<Folder> {
    let folder = await Folder.open(this.path);
    for (const name of names) {
      const outer = folder;
      try {
        folder = await outer.step(name);
      } finally {
        await outer.close();
      }
    }
    return folder;
  }

  /** Opens the folder of these names, and makes what is missing on the way; the caller closes it. */
  async madeFolder(names: readonly Buffer[]): Promise<Folder> {
    let folder = await Folder.open(this.path);
    for (const name of names) {
      const outer = folder;
      try {
        folder = await outer.stepOrMake(name);
      } finally {
        await outer.close();
      }
    }
    return folder;
  }

  /** Does something with the folder of these names, which is closed afterwards. */
  async within<T>(names: readonly Buffer[], work: (folder: Folder) => Promise<T>): Promise<T> {
    const folder = await this.folder(names);
    try {
      return await work(folder);
    } finally {
      await folder.close();
    }
  }

  /** Does something with a place, whose folder must be there; the place itself need not. The workspace is no place. */
  at<T>(names: readonly Buffer[], work: (place: Place) => Promise<T>): Promise<T> {
    const name = names.at(-1);
    if (!name) throw new CallFailure("invalid_request", "the workspace itself cannot be meant here");
    return this.within(names.slice(0, -1), (folder) => work({ folder, name }));
  }
}

/** The folder of these names; undefined where there is none, or a link on the way. Close it. */
export async function folderIfThere(tree: WorkspaceTree, names: readonly Buffer[]): Promise<Folder | undefined> {
  try {
    return await tree.folder(names);
  } catch (error) {
    if (isErrno(error, "ENOENT") || error instanceof NotAFolder) return undefined;
    throw error;
  }
}

/** What lies there, as the controller is told; undefined where there is nothing. */
export async function factsAt({ folder, name }: Place): Promise<EntryFacts | undefined> {
  try {
    const found = await folder.facts(name);
    if (!found.isSymbolicLink()) return factsOf(found);
    const target = await readlink(folder.entryOf(name), { encoding: "buffer" });
    return { ...factsOf(found), target: target.toString("base64url") };
  } catch (error) {
    // EINVAL: it was a link a moment ago.
    if (isErrno(error, "ENOENT") || isErrno(error, "EINVAL")) return undefined;
    throw error;
  }
}

export function factsOf(found: BigIntStats): EntryFacts {
  return {
    type: typeOf(found),
    size: found.isFile() ? Number(found.size) : 0,
    mtimeNs: found.mtimeNs.toString(),
    mode: Number(found.mode & 0o7777n),
  };
}

function typeOf(found: BigIntStats): EntryFacts["type"] {
  if (found.isFile()) return "file";
  if (found.isDirectory()) return "folder";
  return found.isSymbolicLink() ? "link" : "other";
}
