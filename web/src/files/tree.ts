import type { Failure, FileEntry } from "@berth/protocol";
import { describeError } from "../api/describe-error.ts";
import { Store } from "../api/store.ts";
import { folderOf, foldersTo, isWithin, keyOf, type WorkspacePlace, workspaceRoot } from "./place.ts";

/** What is known of a folder. */
export interface KnownFolder {
  readonly items: readonly FileEntry[];
  /** There are more behind the items. */
  readonly more: boolean;
  readonly loading: boolean;
  /** Why it could not be listed the last time. */
  readonly failure: Failure | null;
}

export interface TreeState {
  /** By the keys of their places. */
  readonly folders: ReadonlyMap<string, KnownFolder>;
  readonly open: ReadonlySet<string>;
}

export interface FolderPage {
  readonly items: readonly FileEntry[];
  readonly nextCursor: string | null;
}

/** Lists a folder from where the cursor says, at most `limit` entries. */
export type ListFolder = (folder: WorkspacePlace, limit: number, cursor: string | undefined) => Promise<FolderPage>;

/** Entries that are asked for at first, and with each "more". */
const pageEntries = 200;
const maxPageEntries = 1000;
const nothing: KnownFolder = { items: [], more: false, loading: true, failure: null };

/** The folders of a workspace, each listed when it is first opened, and again when it changes. */
export class FileTree {
  readonly state = new Store<TreeState>({ folders: new Map(), open: new Set() });
  readonly #list: ListFolder;
  /** The latest listing of each folder: an older one that comes later says nothing any more. */
  readonly #latest = new Map<string, object>();
  /** Folders that changed while they were listed. */
  readonly #again = new Set<string>();

  constructor(list: ListFolder) {
    this.#list = list;
  }

  /** Shows what is in a folder. */
  open(folder: WorkspacePlace): void {
    const key = keyOf(folder);
    this.state.update((state) => ({ ...state, open: new Set(state.open).add(key) }));
    const known = this.state.get().folders.get(key);
    if (!known || known.failure) void this.#load(folder, pageEntries);
  }

  close(folder: WorkspacePlace): void {
    const key = keyOf(folder);
    this.state.update((state) => ({ ...state, open: new Set([...state.open].filter((each) => each !== key)) }));
  }

  /** Opens the folders on the way to a place. */
  reveal(place: WorkspacePlace): void {
    this.open(workspaceRoot);
    for (const folder of foldersTo(place)) this.open(folder);
  }

  /** Lists what is behind the entries that are shown. */
  more(folder: WorkspacePlace): void {
    const known = this.state.get().folders.get(keyOf(folder));
    void this.#load(folder, (known?.items.length ?? 0) + pageEntries);
  }

  /** Lists a folder again, if it was listed before. However often that is wanted meanwhile, it is listed once more. */
  async reload(folder: WorkspacePlace): Promise<void> {
    const known = this.state.get().folders.get(keyOf(folder));
    if (known?.loading) this.#again.add(keyOf(folder));
    else if (known) await this.#load(folder, Math.max(known.items.length, pageEntries));
  }

  /** Something happened at these places: the folders that they lie in are listed again. */
  changed(places: readonly WorkspacePlace[]): void {
    const folders = new Map(places.map((place) => [keyOf(folderOf(place)), folderOf(place)]));
    for (const folder of folders.values()) void this.reload(folder);
  }

  /** Anything may have happened: what is shown is listed again, and the rest is forgotten. */
  reloadAll(): void {
    const { folders, open } = this.state.get();
    const shown = new Map([...folders].filter(([key]) => key === "" || open.has(key)));
    this.state.update((state) => ({ ...state, folders: shown }));
    void this.reload(workspaceRoot);
    for (const folder of shown.values()) {
      for (const entry of folder.items) if (entry.type === "folder") void this.reload(entry);
    }
  }

  async #load(folder: WorkspacePlace, atLeast: number): Promise<void> {
    const key = keyOf(folder);
    const turn = {};
    this.#latest.set(key, turn);
    this.#set(key, (known) => ({ ...known, loading: true }));
    try {
      const { items, nextCursor } = await this.#listPages(folder, atLeast);
      if (this.#latest.get(key) !== turn) return;
      this.#set(key, () => ({ items, more: nextCursor !== null, loading: false, failure: null }));
    } catch (error) {
      if (this.#latest.get(key) !== turn) return;
      const failure = describeError(error);
      if (failure.code === "not_found" && key !== "") this.#forget(folder);
      else this.#set(key, (known) => ({ ...known, loading: false, failure }));
    }
    if (this.#again.delete(key)) void this.reload(folder);
  }

  async #listPages(folder: WorkspacePlace, atLeast: number): Promise<FolderPage> {
    const items: FileEntry[] = [];
    let cursor: string | null = null;
    do {
      const limit = Math.min(maxPageEntries, atLeast - items.length);
      const page: FolderPage = await this.#list(folder, limit, cursor ?? undefined);
      items.push(...page.items);
      cursor = page.nextCursor;
    } while (cursor !== null && items.length < atLeast);
    return { items, nextCursor: cursor };
  }

  #set(key: string, change: (known: KnownFolder) => KnownFolder): void {
    this.state.update((state) => ({
      ...state,
      folders: new Map(state.folders).set(key, change(state.folders.get(key) ?? nothing)),
    }));
  }

  /** A folder that is gone, with all that was in it. */
  #forget(gone: WorkspacePlace): void {
    const { folders, open } = this.state.get();
    const inside = new Set([keyOf(gone)]);
    for (const [, folder] of folders) {
      for (const entry of folder.items) if (isWithin(entry, gone)) inside.add(keyOf(entry));
    }
    this.state.set({
      folders: new Map([...folders].filter(([key]) => !inside.has(key))),
      open: new Set([...open].filter((key) => !inside.has(key))),
    });
  }
}
