import { type FSWatcher, watch as watchFolder } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { SerialQueue } from "@berth/base";
import { isErrno } from "@berth/base/node";
import { workspaceLimits } from "@berth/protocol/link";
import { type Folder, NotAFolder } from "../files/folder.ts";
import type { Job } from "./job.ts";
import { namesOfLinkPath, pathOf } from "./path.ts";
import type { WorkspaceTree } from "./tree.ts";

/** Folders that are watched at a time by one listener: each costs the kernel a kibibyte, of what all programs share. */
const maxFolders = 8192;
/** What changes within so long is told together, in milliseconds. */
const togetherMs = 100;
/** Changes that wait to be told; more are told of as one overflow. */
const maxWaiting = 5000;
const recordBytes = workspaceLimits.recordBytes / 2;

/** Not watched: what changes a lot and interests nobody there. Of a repository's own folder only its top level is. */
const unwatched: ReadonlySet<string> = new Set(["node_modules", ".berth", ".venv", "__pycache__"]);

/** `watch`: until the controller closes the channel. */
export async function watchTree(job: Job, tree: WorkspaceTree, params: { path: string }): Promise<void> {
  const base = namesOfLinkPath(params.path);
  const changes = new Changes();
  const watching = new Watching(tree, changes);
  try {
    await watching.add(base, true);
    job.answer({ partial: watching.partial });
    for (;;) {
      for (const record of await changes.next(job.signal)) await job.record(record);
      await job.flush();
    }
  } finally {
    watching.close();
  }
}

/** What has changed and was not told yet. */
class Changes {
  readonly #paths = new Set<string>();
  #overflow = false;
  #wake = () => {};

  add(path: string): void {
    if (this.#paths.size < maxWaiting) this.#paths.add(path);
    else this.#overflow = true;
    this.#wake();
  }

  /** More has changed than can be looked at. */
  flood(): void {
    this.#overflow = true;
    this.#wake();
  }

  /** What has changed, some time after the first of it. Rejects when the signal aborts. */
  async next(signal: AbortSignal): Promise<({ changed: string[] } | { overflow: true })[]> {
    while (this.#paths.size === 0 && !this.#overflow) await this.#something(signal);
    await setTimeout(togetherMs, undefined, { signal });
    const overflow = this.#overflow;
    const records = overflow ? [{ overflow: true as const }] : inRecords(this.#paths);
    this.#paths.clear();
    this.#overflow = false;
    return records;
  }

  async #something(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const abort = () => reject(signal.reason);
      if (signal.aborted) abort();
      signal.addEventListener("abort", abort, { once: true });
      this.#wake = () => {
        signal.removeEventListener("abort", abort);
        resolve();
      };
    });
  }
}

/** The folders that are watched, each by a watcher of its own. */
class Watching {
  partial = false;
  readonly #tree: WorkspaceTree;
  readonly #changes: Changes;
  readonly #watchers = new Map<string, FSWatcher>();
  /** Looks at what has come, in turn: a flood of files would open as many folders. */
  readonly #looks = new SerialQueue();
  #closed = false;

  constructor(tree: WorkspaceTree, changes: Changes) {
    this.#tree = tree;
    this.#changes = changes;
  }

  /** Watches a folder and those in it. What is in one that has just come is told of, since it may have come before. */
  async add(names: readonly Buffer[], first: boolean): Promise<void> {
    const key = keyOf(names);
    if (this.#closed || this.#watchers.has(key)) return;
    if (this.#watchers.size >= maxFolders) {
      this.partial = true;
      return;
    }
    let folder: Folder;
    try {
      folder = await this.#tree.folder(names);
    } catch (error) {
      // It is gone again, or it is a file. The very first must be there.
      if (!first && (isErrno(error, "ENOENT") || isErrno(error, "EACCES") || error instanceof NotAFolder)) return;
      throw error;
    }
    try {
      if (this.#closed) return;
      this.#watch(folder, names, key);
      const isRepositorysOwn = names.at(-1)?.toString() === ".git";
      for (const entry of await folder.names()) {
        const inner = [...names, entry.name];
        if (!first) this.#changes.add(keyOf(inner));
        if (entry.isDirectory() && !isRepositorysOwn && !unwatched.has(entry.name.toString()))
          await this.#addInner(inner, first);
      }
    } finally {
      await folder.close();
    }
  }

  async #addInner(names: readonly Buffer[], first: boolean): Promise<void> {
    try {
      await this.add(names, first);
    } catch (error) {
      // That one went while its neighbours were looked at.
      if (!isErrno(error, "ENOENT") && !isErrno(error, "EACCES") && !(error instanceof NotAFolder)) throw error;
    }
  }

  close(): void {
    this.#closed = true;
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #watch(folder: Folder, names: readonly Buffer[], key: string): void {
    let watcher: FSWatcher;
    try {
      watcher = watchFolder(folder.path, { encoding: "buffer", persistent: false }, () => {});
    } catch (error) {
      // The kernel's own bound.
      if (!isErrno(error, "ENOSPC") && !isErrno(error, "EMFILE")) throw error;
      this.partial = true;
      return;
    }
    this.#watchers.set(key, watcher);
    watcher.on("error", () => this.#forget(key));
    watcher.on("change", (event, name) => {
      const entry = Buffer.from(name);
      const inner = [...names, entry];
      this.#changes.add(keyOf(inner));
      // Something has come, or gone.
      if (event === "rename") this.#refresh(inner, entry);
    });
  }

  #refresh(names: readonly Buffer[], entry: Buffer): void {
    this.#forgetTree(keyOf(names));
    if (unwatched.has(entry.toString())) return;
    if (this.#looks.length >= maxWaiting) this.#changes.flood();
    else void this.#looks.run(() => this.add(names, false)).catch(() => {});
  }

  /** Another folder may be in the place of one that was watched. */
  #forgetTree(key: string): void {
    if (!this.#watchers.has(key)) return;
    const path = Buffer.from(key, "base64url").toString("latin1");
    for (const other of this.#watchers.keys()) {
      const otherPath = Buffer.from(other, "base64url").toString("latin1");
      if (other === key || otherPath.startsWith(`${path}/`)) this.#forget(other);
    }
  }

  #forget(key: string): void {
    this.#watchers.get(key)?.close();
    this.#watchers.delete(key);
  }
}

function keyOf(names: readonly Buffer[]): string {
  return pathOf(names).toString("base64url");
}

function inRecords(paths: ReadonlySet<string>): { changed: string[] }[] {
  const records: { changed: string[] }[] = [];
  let bytes = recordBytes;
  for (const path of paths) {
    const last = records.at(-1);
    if (!last || bytes + path.length > recordBytes || last.changed.length >= workspaceLimits.changesAtOnce) {
      records.push({ changed: [path] });
      bytes = path.length;
    } else {
      last.changed.push(path);
      bytes += path.length;
    }
  }
  return records;
}
