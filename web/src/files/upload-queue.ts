import type { Failure } from "@berth/protocol";
import { describeError } from "../api/describe-error.ts";
import { Store } from "../api/store.ts";
import type { FileContents } from "./content.ts";
import { folderOf, keyOf, type WorkspacePlace } from "./place.ts";

/** A file on its way into the workspace. */
export interface Upload {
  readonly id: number;
  readonly place: WorkspacePlace;
  readonly bytes: number;
  readonly state: UploadState;
}

export type UploadState =
  | { readonly phase: "waiting" }
  | { readonly phase: "sending"; readonly sentBytes: number }
  | { readonly phase: "done" }
  /** `exists`: a file of that name is there, which may be replaced. */
  | { readonly phase: "failed"; readonly failure: Failure; readonly exists: boolean };

export interface UploadQueueOptions {
  write: FileContents["write"];
  makeFolder: (folder: WorkspacePlace) => Promise<void>;
  /** A file is there: what is shown of its folder is old. */
  onWritten: (place: WorkspacePlace) => void;
}

/** A file, and the place that it is to have. */
export interface UploadedFile {
  readonly place: WorkspacePlace;
  readonly file: File;
  /** It came in a folder of its own, which may have to be made. */
  readonly inFolder: boolean;
}

/** Files that are put into the workspace, one after the other. None replaces another unless that was asked for. */
export class UploadQueue {
  readonly uploads = new Store<readonly Upload[]>([]);
  readonly #options: UploadQueueOptions;
  readonly #files = new Map<number, UploadedFile & { replace: boolean }>();
  /** Folders that were made here. */
  readonly #made = new Set<string>();
  #nextId = 1;
  #sending: { id: number; abort: AbortController } | undefined;
  #disposed = false;

  constructor(options: UploadQueueOptions) {
    this.#options = options;
  }

  add(files: readonly UploadedFile[]): void {
    for (const uploaded of files) {
      const id = this.#nextId++;
      this.#files.set(id, { ...uploaded, replace: false });
      const upload: Upload = { id, place: uploaded.place, bytes: uploaded.file.size, state: { phase: "waiting" } };
      this.uploads.update((all) => [...all, upload]);
    }
    this.#next();
  }

  /** Stops a file, or forgets what is said of it. */
  remove(id: number): void {
    this.#files.delete(id);
    this.uploads.update((all) => all.filter((upload) => upload.id !== id));
    if (this.#sending?.id === id) this.#sending.abort.abort();
  }

  /** Stops and forgets all of them. */
  clear(): void {
    this.#files.clear();
    this.uploads.set([]);
    this.#sending?.abort.abort();
  }

  /** Tries again; `replace`: what is there is overwritten. */
  retry(id: number, replace: boolean): void {
    const file = this.#files.get(id);
    if (!file) return;
    this.#files.set(id, { ...file, replace });
    this.#set(id, { phase: "waiting" });
    this.#next();
  }

  /** Stops everything. */
  dispose(): void {
    this.#disposed = true;
    this.#sending?.abort.abort();
  }

  #next(): void {
    if (this.#sending || this.#disposed) return;
    const upload = this.uploads.get().find(({ state }) => state.phase === "waiting");
    if (upload) void this.#send(upload);
  }

  async #send({ id, place }: Upload): Promise<void> {
    const uploaded = this.#files.get(id);
    if (!uploaded) return;
    const abort = new AbortController();
    this.#sending = { id, abort };
    this.#set(id, { phase: "sending", sentBytes: 0 });
    try {
      if (uploaded.inFolder) await this.#makeFolder(folderOf(place));
      await this.#options.write({
        place,
        body: uploaded.file,
        expected: uploaded.replace ? undefined : "absent",
        signal: abort.signal,
        onProgress: (sentBytes) => this.#set(id, { phase: "sending", sentBytes }),
      });
      this.#files.delete(id);
      this.#set(id, { phase: "done" });
      this.#options.onWritten(place);
    } catch (error) {
      // A cancelled one is not in the list any more.
      const failure = describeError(error);
      this.#set(id, { phase: "failed", failure, exists: failure.code === "conflict" && !uploaded.replace });
    } finally {
      this.#sending = undefined;
    }
    this.#next();
  }

  async #makeFolder(folder: WorkspacePlace): Promise<void> {
    if (this.#made.has(keyOf(folder))) return;
    await this.#options.makeFolder(folder);
    this.#made.add(keyOf(folder));
  }

  #set(id: number, state: UploadState): void {
    this.uploads.update((all) => all.map((upload) => (upload.id === id ? { ...upload, state } : upload)));
  }
}
