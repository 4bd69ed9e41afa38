import { createHash } from "node:crypto";
import { type BigIntStats, constants, createReadStream, lstatSync, readlinkSync } from "node:fs";
import { copyFile, cp, lstat, mkdir, open, readdir, rename, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { isErrno } from "@berth/base/node";
import type { EntryState } from "./entry-state.ts";
import { findLeftovers } from "./leftovers.ts";
import { below, parentOf, quicklyBelow, type RawPath, rawPath } from "./raw-path.ts";
import { surplusBackups } from "./retention.ts";
import { type BackupFacts, type BackupRetention, markerFile, ownFolder, type Side, temporaryFolder } from "./side.ts";

/** So long one turn of the event loop may be taken by looking at files, in milliseconds. */
const sliceMs = 8;

/** A folder of this machine. Backups are in a folder of their own, which must not be below it. */
export class LocalSide implements Side {
  readonly #root: string;
  readonly #backups: string;
  /** The folder in which `peek` looked last. */
  #peeked: RawPath = "";
  #prepared = false;

  constructor(options: { root: string; backups: string }) {
    this.#root = options.root;
    this.#backups = options.backups;
  }

  backupFolder(backup: string): string {
    return join(this.#backups, backup);
  }

  async stat(paths: readonly RawPath[]): Promise<Map<RawPath, EntryState>> {
    const found = new Map<RawPath, EntryState>();
    for await (const [path, stats] of this.lstats(paths))
      found.set(path, stateOf(stats, quicklyBelow(this.#root, path)));
    return found;
  }

  /** The file system's own facts of paths, without those that are not there. */
  async *lstats(paths: readonly RawPath[]): AsyncGenerator<[RawPath, BigIntStats]> {
    const folders = new Map<RawPath, boolean>([["", true]]);
    let sliceEnd = performance.now() + sliceMs;
    for (const path of paths) {
      // Thousands of calls, each of microseconds: handing each to another thread would take longer than all of them.
      if (performance.now() > sliceEnd) {
        await new Promise((resolve) => setImmediate(resolve));
        sliceEnd = performance.now() + sliceMs;
      }
      if (!this.#isFolder(parentOf(path), folders)) continue;
      const stats = lstatSync(quicklyBelow(this.#root, path), { bigint: true, throwIfNoEntry: false });
      if (stats) yield [path, stats];
    }
  }

  /** What one path is now, and when it last became so, in nanoseconds. For many paths of one folder after the other. */
  peek(path: RawPath): { state: EntryState; ctimeNs: bigint } | undefined {
    const parent = parentOf(path);
    if (this.#peeked !== parent) {
      if (!this.#isFolder(parent)) return undefined;
      this.#peeked = parent;
    }
    const absolute = quicklyBelow(this.#root, path);
    const stats = lstatSync(absolute, { bigint: true, throwIfNoEntry: false });
    return stats && { state: stateOf(stats, absolute), ctimeNs: stats.ctimeNs };
  }

  async hash(paths: readonly RawPath[]): Promise<Map<RawPath, string>> {
    const hashes = new Map<RawPath, string>();
    for (const path of paths) {
      if (!this.#isFolder(parentOf(path))) continue;
      try {
        const hash = createHash("sha256");
        const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
        const file = await open(below(this.#root, path), flags);
        await pipeline(createReadStream("", { fd: file }), hash);
        hashes.set(path, hash.digest("hex"));
      } catch {
        // It is gone, or may not be read: then its contents are not known.
      }
    }
    return hashes;
  }

  async setAside(paths: readonly RawPath[], backup: string): Promise<RawPath[]> {
    const moved: RawPath[] = [];
    const folder = this.backupFolder(backup);
    for (const path of paths) {
      const from = below(this.#root, path);
      if (!this.#isFolder(parentOf(path)) || lstatSync(from, { throwIfNoEntry: false })?.isDirectory() !== false)
        continue;
      await mkdir(below(folder, parentOf(path)), { recursive: true, mode: 0o700 });
      await move(from, below(folder, path));
      moved.push(path);
    }
    return moved;
  }

  async removeFolders(paths: readonly RawPath[]): Promise<void> {
    for (const path of deepestFirst(paths)) {
      if (!this.#isFolder(parentOf(path))) continue;
      await rmdir(below(this.#root, path)).catch(ignoreNotEmpty);
    }
  }

  async rename(pairs: readonly (readonly [RawPath, RawPath])[]): Promise<RawPath[]> {
    const renamed: RawPath[] = [];
    for (const [from, to] of pairs) {
      if (!this.#isFolder(parentOf(from)) || !this.#isFolder(parentOf(to))) continue;
      const target = below(this.#root, to);
      if (lstatSync(target, { throwIfNoEntry: false })) continue;
      await rename(below(this.#root, from), target);
      renamed.push(from);
    }
    return renamed;
  }

  async prepare(backup: string): Promise<readonly RawPath[]> {
    if (this.#prepared) return [];
    await this.#removeLinks();
    const moved = await this.setAside(await this.leftovers(), backup);
    const folder = join(this.#root, temporaryFolder);
    await rm(folder, { recursive: true, force: true });
    await this.#makeTemporary();
    await writeFile(join(this.#root, markerFile), "", { flag: "wx" });
    this.#prepared = true;
    return moved;
  }

  leftovers(): Promise<readonly RawPath[]> {
    return findLeftovers(this.#root);
  }

  async tidy(retention: BackupRetention, inOrder: boolean): Promise<void> {
    // A run that was cut has mostly removed its own, too: all of its programs have ended.
    if (this.#prepared && (inOrder || (await this.leftovers()).length === 0)) await this.#removeTemporary();
    for (const id of surplusBackups(await this.backups(), retention, Date.now())) {
      await rm(this.backupFolder(id), { recursive: true, force: true });
    }
  }

  async backups(): Promise<BackupFacts[]> {
    const names = await readdir(this.#backups).catch(() => []);
    return Promise.all(names.map(async (id) => ({ id, ...(await sizeOf(this.backupFolder(id))) })));
  }

  async backupPaths(backup: string, limit: number): Promise<RawPath[]> {
    const found: RawPath[] = [];
    for await (const path of filesBelow(this.backupFolder(backup))) {
      if (found.length >= limit) break;
      found.push(path);
    }
    return found;
  }

  async restore(backup: string, path: RawPath, aside: string): Promise<boolean> {
    const from = below(this.backupFolder(backup), path);
    if (!lstatSync(from, { throwIfNoEntry: false })?.isFile() || !(await this.#makeFolder(parentOf(path))))
      return false;
    await this.#removeLinks();
    await this.#makeTemporary();
    const draft = Buffer.from(join(this.#root, temporaryFolder, "restored"));
    await rm(draft, { force: true });
    await copyFile(from, draft, constants.COPYFILE_EXCL);
    await this.setAside([path], aside);
    await rename(draft, below(this.#root, path));
    // The marker of a run that was killed still has to be seen by the next one.
    if (!lstatSync(join(this.#root, markerFile), { throwIfNoEntry: false })) await this.#removeTemporary();
    return true;
  }

  /** Whoever put a link there would have files made elsewhere. */
  async #removeLinks(): Promise<void> {
    for (const path of [join(this.#root, ownFolder), join(this.#root, temporaryFolder)]) {
      if ((await lstat(path).catch(() => undefined))?.isSymbolicLink()) await rm(path);
    }
  }

  async #makeTemporary(): Promise<void> {
    const folder = join(this.#root, temporaryFolder);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, ".gitignore"), "*\n");
  }

  async #removeTemporary(): Promise<void> {
    await rm(join(this.#root, temporaryFolder), { recursive: true, force: true });
    await rmdir(join(this.#root, ownFolder)).catch(ignoreNotEmpty);
  }

  /** Makes a folder, and those on the way to it, where nothing is; answers whether all of them are folders now. */
  async #makeFolder(path: RawPath): Promise<boolean> {
    if (this.#isFolder(path)) return true;
    if (!(await this.#makeFolder(parentOf(path)))) return false;
    try {
      await mkdir(below(this.#root, path));
      return true;
    } catch (error) {
      if (isErrno(error, "EEXIST")) return false;
      throw error;
    }
  }

  /** Whether a path is a folder, and so is all on the way to it: no link is passed. */
  #isFolder(path: RawPath, known: Map<RawPath, boolean> = new Map([["", true]])): boolean {
    const before = known.get(path);
    if (before !== undefined) return before;
    const is =
      this.#isFolder(parentOf(path), known) &&
      lstatSync(below(this.#root, path), { throwIfNoEntry: false })?.isDirectory() === true;
    known.set(path, is);
    return is;
  }
}

/** What a sync compares of an entry. */
export function stateOf(stats: BigIntStats, path: Buffer | string): EntryState {
  const facts = { bytes: Number(stats.size), mtimeNs: String(stats.mtimeNs), mode: Number(stats.mode) & 0o777 };
  if (stats.isFile()) return { type: "file", ...facts };
  if (stats.isDirectory()) return { type: "folder", ...facts };
  if (!stats.isSymbolicLink()) return { type: "other", ...facts };
  return { type: "link", ...facts, target: readTarget(path) };
}

function readTarget(path: Buffer | string): string {
  try {
    return readlinkSync(path, { encoding: "buffer" }).toString("latin1");
  } catch {
    return "";
  }
}

/** A backup may be on another file system. */
async function move(from: Buffer, to: Buffer): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!isErrno(error, "EXDEV")) throw error;
    const [source, target] = [from.toString("latin1"), to.toString("latin1")];
    if (Buffer.from(source, "utf8").equals(from) && Buffer.from(target, "utf8").equals(to)) {
      await cp(source, target, { verbatimSymlinks: true, preserveTimestamps: true });
    } else await copyFile(from, to);
    await rm(from);
  }
}

async function* filesBelow(root: string, folder: RawPath = ""): AsyncGenerator<RawPath> {
  const entries = await readdir(below(root, folder), { withFileTypes: true, encoding: "buffer" }).catch(() => []);
  for (const entry of entries) {
    const name = rawPath(entry.name);
    const path = folder === "" ? name : `${folder}/${name}`;
    if (entry.isDirectory()) yield* filesBelow(root, path);
    else yield path;
  }
}

async function sizeOf(root: string): Promise<{ files: number; bytes: number }> {
  let files = 0;
  let bytes = 0;
  for await (const path of filesBelow(root)) {
    files += 1;
    bytes += (await lstat(below(root, path)).catch(() => undefined))?.size ?? 0;
  }
  return { files, bytes };
}

/** Folders before those that they are in. */
export function deepestFirst(paths: readonly RawPath[]): RawPath[] {
  const depth = (path: RawPath) => path.split("/").length;
  return [...paths].sort((one, other) => depth(other) - depth(one));
}

function ignoreNotEmpty(error: unknown): void {
  const expected = ["ENOTEMPTY", "EEXIST", "ENOENT", "ENOTDIR"];
  if (!expected.some((code) => isErrno(error, code))) throw error;
}

/** Whether a folder is there, links followed: it is the user's own choice. */
export async function isFolderThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}
