import { link, mkdir, rename, rmdir, unlink } from "node:fs/promises";
import { isErrno } from "@berth/base/node";
import { CallFailure, type WorkspaceParams } from "@berth/protocol/link";
import type { Folder } from "../files/folder.ts";
import type { Job } from "./job.ts";
import { namesOfLinkPath } from "./path.ts";
import type { Place } from "./tree.ts";
import { versionOf } from "./version.ts";
import type { Writing } from "./write.ts";

/** `remove`: a file, or a folder with all that is in it. */
export async function remove(job: Job, writing: Writing, params: WorkspaceParams<"remove">): Promise<void> {
  await writing.tree.at(namesOfLinkPath(params.path), async (place) => {
    const { folder, name } = place;
    await writing.changes.run(async () => {
      const found = await folder.facts(name);
      if (params.version !== undefined && versionOf(found) !== params.version)
        throw new CallFailure("changed", "it was changed since");
      if (!found.isDirectory()) return unlink(folder.entryOf(name));
      if (!params.recursive) return rmdir(folder.entryOf(name));
    });
    if (params.recursive) await removeTree(place, job.signal);
    await folder.sync();
  });
  job.answer(null);
}

/** Removes what is at a place, and below it, without following a link. Nothing there is fine. */
export async function removeTree({ folder, name }: Place, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  try {
    const isFolder = (await folder.facts(name)).isDirectory();
    if (!isFolder) return await unlink(folder.entryOf(name));
    const inner = await folder.step(name);
    try {
      for (const entry of await inner.names()) await removeTree({ folder: inner, name: entry.name }, signal);
    } finally {
      await inner.close();
    }
    await rmdir(folder.entryOf(name));
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
}

/** `makeFolder`: and those on the way to it. */
export async function makeFolder(job: Job, writing: Writing, params: WorkspaceParams<"makeFolder">): Promise<void> {
  const names = namesOfLinkPath(params.path);
  const name = names.at(-1);
  if (!name) throw new CallFailure("exists", "the workspace is there");
  await inMadeFolder(writing, names.slice(0, -1), async (folder) => {
    await mkdir(folder.entryOf(name));
    await folder.sync();
  });
  job.answer(null);
}

/** `move`: in one step, and over nothing that it was not asked to replace. */
export async function move(job: Job, writing: Writing, params: WorkspaceParams<"move">): Promise<void> {
  const to = namesOfLinkPath(params.to);
  const name = to.at(-1);
  if (!name) throw new CallFailure("invalid_request", "the workspace cannot be replaced");
  await writing.tree.at(namesOfLinkPath(params.from), async (from) => {
    // Before folders are made for it.
    await from.folder.facts(from.name);
    await inMadeFolder(writing, to.slice(0, -1), async (folder) => {
      await writing.changes.run(() => movePlace(from, { folder, name }, params.overwrite));
      await folder.sync();
      await from.folder.sync();
    });
  });
  job.answer(null);
}

/** Moves what is at a place. Without `overwrite` it rejects with EEXIST or ENOTEMPTY where anything is there. */
export async function movePlace(from: Place, to: Place, overwrite: boolean): Promise<void> {
  const source = from.folder.entryOf(from.name);
  const destination = to.folder.entryOf(to.name);
  if (overwrite) return rename(source, destination);
  if ((await from.folder.facts(from.name)).isDirectory()) {
    // A rename replaces nothing but an empty folder: this one, which nobody else has made.
    await mkdir(destination);
    try {
      return await rename(source, destination);
    } catch (error) {
      await rmdir(destination).catch(() => {});
      throw error;
    }
  }
  await link(source, destination);
  await unlink(source);
}

async function inMadeFolder(
  { tree }: Writing,
  names: readonly Buffer[],
  work: (folder: Folder) => Promise<void>,
): Promise<void> {
  const folder = await tree.madeFolder(names);
  try {
    await work(folder);
  } finally {
    await folder.close();
  }
}
