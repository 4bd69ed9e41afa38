import { type FSWatcher, watch } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { ChangeBell, type ChangeSource } from "./change-bell.ts";
import { notFollowed } from "./followed-paths.ts";

/** The kernel has a bound for all of its users; a tree of more folders is looked at now and then instead. */
const maxFolders = 20_000;

/** Begins to tell of changes in a folder. `partial`: there are more folders than can be watched. */
export async function watchTree(root: string): Promise<{ source: ChangeSource; partial: boolean }> {
  const bell: ChangeBell = new ChangeBell(() => tree.close());
  const tree = new TreeWatch(root, () => bell.ring());
  await tree.start();
  return { source: bell, partial: tree.partial };
}

/**
 * Watches a folder of this machine and all below it: a watch a folder. Names are taken as text; what has another name is
 * noticed by the folder that it is in all the same.
 */
class TreeWatch {
  readonly #root: string;
  readonly #onChange: () => void;
  readonly #watchers = new Map<string, FSWatcher>();
  #closed = false;
  /** Whether some of it could not be watched, so that it has to be looked at now and then. */
  partial = false;

  constructor(root: string, onChange: () => void) {
    this.#root = root;
    this.#onChange = onChange;
  }

  /** Begins to watch; resolves when all that is there is watched. */
  start(): Promise<void> {
    return this.#add("");
  }

  close(): void {
    this.#closed = true;
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  async #add(folder: string): Promise<void> {
    if (this.#closed || this.#watchers.has(folder)) return;
    if (this.#watchers.size >= maxFolders) {
      this.partial = true;
      return;
    }
    try {
      const watcher = watch(join(this.#root, folder), { persistent: false }, (_, name) => this.#changed(folder, name));
      watcher.on("error", () => this.#remove(folder));
      this.#watchers.set(folder, watcher);
    } catch {
      // It is gone again, or the kernel's bound is reached.
      this.partial = true;
      return;
    }
    // After the watch: what comes into being meanwhile is seen by the one or by the other.
    const entries = await readdir(join(this.#root, folder), { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (entry.isDirectory() && !notFollowed.has(entry.name)) await this.#add(join(folder, entry.name));
    }
  }

  #changed(folder: string, name: string | null): void {
    if (name !== null && notFollowed.has(name)) return;
    this.#onChange();
    if (name !== null) void this.#lookAt(join(folder, name));
  }

  /** A folder that is new, or that another one has taken the place of. */
  async #lookAt(path: string): Promise<void> {
    const isFolder = (await lstat(join(this.#root, path)).catch(() => undefined))?.isDirectory() === true;
    if (!isFolder) return this.#remove(path);
    await this.#add(path);
    this.#onChange();
  }

  #remove(folder: string): void {
    if (folder === "") return;
    for (const [path, watcher] of this.#watchers) {
      if (path !== folder && !path.startsWith(`${folder}/`)) continue;
      watcher.close();
      this.#watchers.delete(path);
    }
  }
}
