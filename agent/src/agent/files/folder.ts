import { type BigIntStats, constants, type Dir, type Dirent } from "node:fs";
import { type FileHandle, lstat, mkdir, open, opendir, readdir } from "node:fs/promises";
import { isErrno } from "@berth/base/node";

const asFolder = constants.O_RDONLY | constants.O_DIRECTORY;

/** Something else than a folder is where a folder must be: a link that leads elsewhere, for instance. */
export class NotAFolder extends Error {
  override readonly name = "NotAFolder";
}

/**
 * A folder that is held open. What is in the workspace is anybody's, so a path into it may lead somewhere else at any
 * moment; names that are looked up in an open folder cannot. Node has no `openat`: the kernel's link to an open folder
 * in `/proc` does the same.
 */
export class Folder {
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** Opens a folder whose path is trusted, and makes it if needed. */
  static async open(path: string): Promise<Folder> {
    await mkdir(path, { recursive: true });
    return new Folder(await open(path, asFolder));
  }

  /** Where an entry of this very folder is, as long as it is open. The entry itself may be a link. */
  entry(name: string): string {
    if (name === "" || name === "." || name === ".." || name.includes("/")) throw new Error("not the name of an entry");
    return `${this.path}/${name}`;
  }

  /** The same, of a name that need not be UTF-8. */
  entryOf(name: Buffer): Buffer {
    // Each byte is a letter in this reading, so that the same check sees the same bytes.
    return Buffer.from(this.entry(name.toString("latin1")), "latin1");
  }

  /** Opens a folder in this one. Throws `NotAFolder` where there is a link or a file, or a system error. */
  async step(name: Buffer): Promise<Folder> {
    try {
      return new Folder(await open(this.entryOf(name), asFolder | constants.O_NOFOLLOW));
    } catch (error) {
      if (isErrno(error, "ELOOP") || isErrno(error, "ENOTDIR"))
        throw new NotAFolder(`"${name.toString()}" is no folder`, { cause: error });
      throw error;
    }
  }

  /** Opens a folder in this one, and makes it if needed; otherwise as `step`. */
  async stepOrMake(name: Buffer): Promise<Folder> {
    try {
      await mkdir(this.entryOf(name));
    } catch (error) {
      if (!isErrno(error, "EEXIST")) throw error;
    }
    return this.step(name);
  }

  /**
   * Opens a file for reading. Rejects with ELOOP where there is a link; whatever else is there must be looked at, since
   * a pipe or a device can be opened, too, without waiting.
   */
  read(name: Buffer): Promise<FileHandle> {
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants;
    return open(this.entryOf(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  }

  /** Facts of an entry; of a link, not of where it leads. */
  facts(name: Buffer): Promise<BigIntStats> {
    return lstat(this.entryOf(name), { bigint: true });
  }

  /** Facts of the folder itself. */
  ownFacts(): Promise<BigIntStats> {
    return this.#handle.stat({ bigint: true });
  }

  /** The names in the folder, and what they are. */
  names(): Promise<Dirent<Buffer>[]> {
    return readdir(this.path, { withFileTypes: true, encoding: "buffer" });
  }

  /** Opens a folder in this one, and makes it if needed. Throws `NotAFolder` where there is a link or a file. */
  async enter(name: string): Promise<Folder> {
    const path = this.entry(name);
    try {
      await mkdir(path);
    } catch (error) {
      if (!isErrno(error, "EEXIST")) throw error;
    }
    try {
      return new Folder(await open(path, asFolder | constants.O_NOFOLLOW));
    } catch (error) {
      if (isErrno(error, "ELOOP") || isErrno(error, "ENOTDIR")) throw new NotAFolder(name, { cause: error });
      throw error;
    }
  }

  /** Creates a file for writing; rejects with EEXIST where anything has that name. */
  create(name: string): Promise<FileHandle> {
    const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    return open(this.entry(name), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644);
  }

  entries(): Promise<Dir> {
    return opendir(this.path);
  }

  /** Makes the folder's entries durable. */
  sync(): Promise<void> {
    return this.#handle.sync();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  /** A path to this very folder, for this process and as long as it is open. */
  get path(): string {
    return `/proc/self/fd/${this.#handle.fd}`;
  }

  /** The same for programs that this process starts. */
  get pathForOthers(): string {
    return `/proc/${process.pid}/fd/${this.#handle.fd}`;
  }
}
