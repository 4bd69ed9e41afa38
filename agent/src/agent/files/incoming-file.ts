import { randomBytes } from "node:crypto";
import { type FileHandle, link, unlink } from "node:fs/promises";
import { join } from "node:path";
import { isErrno } from "@berth/base/node";
import { CallFailure } from "@berth/protocol/link";
import { errorText, type Log } from "../../log.ts";
import { droppedPath, openDroppedFolder, removeOldest } from "./dropped-folder.ts";
import { numberedFileName, safeFileName } from "./file-name.ts";
import type { Folder } from "./folder.ts";

/** How many files may have one name, told apart by their numbers. */
const maxNumber = 10_000;

export interface IncomingFileOptions {
  workspace: string;
  /** What its sender calls it. */
  name: string;
  /** Temporary names of the files that this process is writing; this one is in it as long as it is written. */
  underWay: Set<string>;
  log: Log;
}

/** A file that is being dropped: under a temporary name until it is whole. */
export class IncomingFile {
  readonly #options: IncomingFileOptions;
  readonly #folder: Folder;
  readonly #temporary: string;
  readonly #file: FileHandle;
  #bytes = 0;

  private constructor(options: IncomingFileOptions, folder: Folder, temporary: string, file: FileHandle) {
    this.#options = options;
    this.#folder = folder;
    this.#temporary = temporary;
    this.#file = file;
  }

  /** Begins a file; then `finish` or `abandon` must follow. Rejects with a system error, or with `NotAFolder`. */
  static async begin(options: IncomingFileOptions): Promise<IncomingFile> {
    const temporary = `.upload-${randomBytes(6).toString("hex")}.part`;
    options.underWay.add(temporary);
    let folder: Folder | undefined;
    try {
      folder = await openDroppedFolder(options.workspace, options.underWay);
      return new IncomingFile(options, folder, temporary, await folder.create(temporary));
    } catch (error) {
      options.underWay.delete(temporary);
      await folder?.close();
      throw error;
    }
  }

  /** What was written so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Writes all of the bytes at the file's end. */
  async write(chunk: Uint8Array): Promise<void> {
    for (let offset = 0; offset < chunk.byteLength; ) {
      const { bytesWritten } = await this.#file.write(chunk, offset);
      offset += bytesWritten;
      this.#bytes += bytesWritten;
    }
  }

  /** Gives the file its name; answers its path. After a failure `abandon` must follow. */
  async finish(): Promise<string> {
    const { workspace, log } = this.#options;
    await this.#file.datasync();
    const name = await this.#takeName();
    await unlink(this.#folder.entry(this.#temporary));
    await this.#folder.sync();
    try {
      await removeOldest(this.#folder, name);
    } catch (error) {
      log.warn("old dropped files could not be removed", { reason: errorText(error) });
    }
    await this.#release();
    return join(workspace, ...droppedPath, name);
  }

  /** Leaves nothing of the file. */
  async abandon(): Promise<void> {
    try {
      await unlink(this.#folder.entry(this.#temporary));
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
    } finally {
      await this.#release();
    }
  }

  /** A link to the file, since a rename would replace whatever has the name already. */
  async #takeName(): Promise<string> {
    const wanted = safeFileName(this.#options.name);
    for (let number = 1; number <= maxNumber; number += 1) {
      const name = number === 1 ? wanted : numberedFileName(wanted, number);
      try {
        await link(this.#folder.entry(this.#temporary), this.#folder.entry(name));
        return name;
      } catch (error) {
        if (!isErrno(error, "EEXIST")) throw error;
      }
    }
    throw new CallFailure("conflict", `there are ${maxNumber} files called ${wanted}`);
  }

  async #release(): Promise<void> {
    this.#options.underWay.delete(this.#temporary);
    await this.#file.close();
    await this.#folder.close();
  }
}
