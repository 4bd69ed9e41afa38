import { type Client, listFiles, makeFolder, moveFile, removeFile } from "@berth/protocol";
import { Store } from "../api/store.ts";
import { contentsOf, type FileContents } from "./content.ts";
import { OpenFile } from "./open-file.ts";
import { addressOf, folderOf, isWithin, keyOf, type WorkspacePlace } from "./place.ts";
import { type Search, searchOf } from "./search.ts";
import { FileTree } from "./tree.ts";
import { UploadQueue } from "./upload-queue.ts";

/** The files of a sandbox as they are looked at here: kept while the sandbox's page is open, whichever view is seen. */
export class WorkspaceFiles {
  readonly sandboxId: string;
  readonly tree: FileTree;
  readonly search: Search;
  readonly uploads: UploadQueue;
  /** The keys of files with something typed that is not saved. */
  readonly edited = new Store<ReadonlySet<string>>(new Set());
  readonly #api: Client;
  readonly #contents: FileContents;
  readonly #opened = new Map<string, OpenFile>();

  constructor(api: Client, sandboxId: string) {
    this.#api = api;
    this.sandboxId = sandboxId;
    this.#contents = contentsOf(api, sandboxId);
    this.search = searchOf(api, sandboxId);
    this.tree = new FileTree((folder, limit, cursor) => {
      const query = { ...addressOf(folder), limit, ...(cursor === undefined ? {} : { cursor }) };
      return api.call(listFiles, { params: { id: sandboxId }, query });
    });
    this.uploads = new UploadQueue({
      write: this.#contents.write,
      makeFolder: (folder) => this.makeFolder(folder),
      onWritten: (place) => this.changed([place]),
    });
  }

  /** The file at a place, which is read when it is first asked for. Those that are not edited are forgotten meanwhile. */
  file(place: WorkspacePlace): OpenFile {
    const key = keyOf(place);
    for (const [other, file] of this.#opened) if (other !== key && !file.isEdited) this.#forget(other, file);
    const known = this.#opened.get(key);
    if (known) return known;
    const file = new OpenFile(place, this.#contents);
    this.#opened.set(key, file);
    file.state.subscribe(() => this.#tellEdited());
    void file.load();
    return file;
  }

  /** Something happened at these places. */
  changed(places: readonly WorkspacePlace[]): void {
    this.tree.changed(places);
    for (const file of this.#opened.values()) {
      // A folder that was moved away takes its files along, and only it is told of.
      if (places.some((place) => isWithin(file.place, place))) void file.load();
    }
  }

  /** Anything may have happened. */
  reload(): void {
    this.tree.reloadAll();
    for (const file of this.#opened.values()) void file.load();
  }

  /** Makes an empty file where there is none. Rejects with `BerthError`, as the others do. */
  async makeFile(place: WorkspacePlace): Promise<void> {
    const { signal } = new AbortController();
    await this.#contents.write({ place, body: new Blob([]), expected: "absent", signal });
    this.changed([place]);
  }

  async makeFolder(place: WorkspacePlace): Promise<void> {
    await this.#api.call(makeFolder, { params: { id: this.sandboxId }, body: addressOf(place) });
    this.changed([place]);
  }

  async move(from: WorkspacePlace, to: WorkspacePlace): Promise<void> {
    const source = from.pathBytes === undefined ? { from: from.path } : { fromBytes: from.pathBytes };
    const target = to.pathBytes === undefined ? { to: to.path } : { toBytes: to.pathBytes };
    await this.#api.call(moveFile, { params: { id: this.sandboxId }, body: { ...source, ...target } });
    this.changed([from, to]);
  }

  async remove(place: WorkspacePlace, recursive: boolean): Promise<void> {
    const query = { ...addressOf(place), ...(recursive ? { recursive } : {}) };
    await this.#api.call(removeFile, { params: { id: this.sandboxId }, query });
    this.changed([place]);
    await this.tree.reload(folderOf(place));
  }

  /** Stops what is under way. */
  dispose(): void {
    this.search.stop();
    this.uploads.dispose();
    for (const [key, file] of this.#opened) this.#forget(key, file);
  }

  #forget(key: string, file: OpenFile): void {
    file.close();
    this.#opened.delete(key);
  }

  #tellEdited(): void {
    const edited = new Set([...this.#opened].filter(([, file]) => file.isEdited).map(([key]) => key));
    const before = this.edited.get();
    if (edited.size !== before.size || [...edited].some((key) => !before.has(key))) this.edited.set(edited);
  }
}
