import { randomBytes } from "node:crypto";
import { type FileHandle, link, rename, unlink } from "node:fs/promises";
import { namesIn, openBerthFolder, removeFile } from "../files/berth-folder.ts";
import type { Folder } from "../files/folder.ts";
import type { Place } from "./tree.ts";

const temporaryName = /^\.upload-[0-9a-f]{12}\.part$/;

/** Where files are written until they are whole: in a folder of Berth's in the workspace, which git ignores. */
export class Staging {
  readonly #workspace: string;
  /** Names of the files that are being written; of any other nobody knows any more. */
  readonly #underWay = new Set<string>();
  #swept = false;

  constructor(workspace: string) {
    this.#workspace = workspace;
  }

  /** Opens the folder, and once takes away what an agent that was killed has left there. Close it. */
  async open(): Promise<StagingFolder> {
    const folder = await openBerthFolder(this.#workspace, "uploads");
    try {
      if (!this.#swept) await this.#sweep(folder);
      this.#swept = true;
      return new StagingFolder(folder, this.#underWay);
    } catch (error) {
      await folder.close();
      throw error;
    }
  }

  async #sweep(folder: Folder): Promise<void> {
    for await (const name of namesIn(folder)) {
      if (temporaryName.test(name) && !this.#underWay.has(name)) await removeFile(folder, name);
    }
  }
}

/** The open folder of files that are being written. */
export class StagingFolder {
  readonly #folder: Folder;
  readonly #underWay: Set<string>;

  constructor(folder: Folder, underWay: Set<string>) {
    this.#folder = folder;
    this.#underWay = underWay;
  }

  /** Begins a file; it is given a place, or not, and closed. */
  async begin(): Promise<StagedFile> {
    const entry = this.#newEntry();
    try {
      return new StagedFile(entry, await this.#folder.create(entry.name));
    } catch (error) {
      entry.forget();
      throw error;
    }
  }

  /** Makes a link of either sort, at the path that it is given; it is given a place, or not, and closed. */
  async beginLink(make: (path: string) => Promise<void>): Promise<Staged> {
    const entry = this.#newEntry();
    try {
      await make(this.#folder.entry(entry.name));
      return new Staged(entry);
    } catch (error) {
      entry.forget();
      throw error;
    }
  }

  #newEntry(): StagedEntry {
    const name = `.upload-${randomBytes(6).toString("hex")}.part`;
    this.#underWay.add(name);
    return { folder: this.#folder, name, forget: () => this.#underWay.delete(name) };
  }

  close(): Promise<void> {
    return this.#folder.close();
  }
}

interface StagedEntry {
  readonly folder: Folder;
  readonly name: string;
  forget(): void;
}

/** What has no place yet. */
export class Staged {
  readonly #entry: StagedEntry;

  constructor(entry: StagedEntry) {
    this.#entry = entry;
  }

  /** Gives it a place. Without `overwrite` it rejects with EEXIST where anything is there already. */
  async place({ folder, name }: Place, overwrite: boolean): Promise<void> {
    const from = this.#entry.folder.entry(this.#entry.name);
    if (overwrite) return rename(from, folder.entryOf(name));
    await link(from, folder.entryOf(name));
    await unlink(from);
  }

  /** Ends with it; what has no place yet is gone. */
  async close(): Promise<void> {
    try {
      await removeFile(this.#entry.folder, this.#entry.name);
    } finally {
      this.#entry.forget();
    }
  }
}

/** A file that is being written. */
export class StagedFile extends Staged {
  readonly handle: FileHandle;

  constructor(entry: StagedEntry, handle: FileHandle) {
    super(entry);
    this.handle = handle;
  }

  /** Writes all of the bytes at the file's end. */
  async write(chunk: Uint8Array): Promise<void> {
    for (let offset = 0; offset < chunk.byteLength; ) {
      const { bytesWritten } = await this.handle.write(chunk, offset);
      offset += bytesWritten;
    }
  }

  override async close(): Promise<void> {
    try {
      await super.close();
    } finally {
      await this.handle.close();
    }
  }
}
