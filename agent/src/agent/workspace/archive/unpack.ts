import { link, mkdir, symlink } from "node:fs/promises";
import { isErrno } from "@berth/base/node";
import { CallFailure, type WorkspaceParams } from "@berth/protocol/link";
import type { Folder } from "../../files/folder.ts";
import type { Job } from "../job.ts";
import { LastFolder } from "../last-folder.ts";
import { namesOf, namesOfLinkPath } from "../path.ts";
import type { Staged, StagingFolder } from "../staging.ts";
import { syncFileSystem } from "../sync.ts";
import type { Place, WorkspaceTree } from "../tree.ts";
import type { Writing } from "../write.ts";
import { ByteSource } from "./byte-source.ts";
import type { ReadEntry } from "./read-entry.ts";
import { nextEntry, paddingOf } from "./tar-reader.ts";
import { readZip } from "./zip-reader.ts";

const portionBytes = 256 * 1024;
const maxEntries = 1_000_000;
/** What a zip begins with, and one without entries; no tar does. */
const zipMarks = [Buffer.from("PK\x03\x04"), Buffer.from("PK\x05\x06")];
const zipMarkBytes = 4;
/** What file systems can tell, in seconds since 1970. */
const latestMtime = 2 ** 33;

/**
 * `unpack`: each entry is whole under its name, or not there. It ends at the first one that cannot be taken; what came
 * before stays.
 */
export async function unpack(job: Job, writing: Writing, params: WorkspaceParams<"unpack">): Promise<void> {
  const { tree, staging } = writing;
  const base = namesOfLinkPath(params.path);
  await (await tree.madeFolder(base)).close();
  const folder = await staging.open();
  const unpacking = new Unpacking({
    tree,
    base,
    staging: folder,
    overwrite: params.overwrite,
    maxBytes: params.maxBytes,
  });
  try {
    const source = new ByteSource(job.input(params.maxBytes));
    const beginning = await source.peek(zipMarkBytes);
    if (zipMarks.some((mark) => mark.equals(beginning))) await unpackZip(source, folder, unpacking);
    else await unpackTar(source, unpacking);
    await tree.within(base, (place) => syncFileSystem(place));
    job.answer(unpacking.taken);
  } finally {
    await unpacking.close();
    await folder.close();
  }
}

/** As it comes. */
async function unpackTar(source: ByteSource, unpacking: Unpacking): Promise<void> {
  for (let entry = await nextEntry(source); entry; entry = await nextEntry(source)) {
    await unpacking.take(entry, source);
    if (entry.kind === "file") await source.take(paddingOf(entry.size));
  }
  // The zeros behind the end.
  while ((await source.some(portionBytes)).length > 0) {}
}

/** What is in a zip stands at its end: it lies on the disk until all of it has come. */
async function unpackZip(source: ByteSource, staging: StagingFolder, unpacking: Unpacking): Promise<void> {
  const archive = await staging.begin();
  try {
    for (let part = await source.some(portionBytes); part.length > 0; part = await source.some(portionBytes))
      await archive.write(part);
    for await (const { entry, contents } of readZip(archive.handle)) await unpacking.take(entry, contents);
  } finally {
    await archive.close();
  }
}

interface UnpackingOptions {
  readonly tree: WorkspaceTree;
  /** Where the entries go. */
  readonly base: readonly Buffer[];
  readonly staging: StagingFolder;
  readonly overwrite: boolean;
  /** What files may have in all: that of a zip may be much more than it has itself. */
  readonly maxBytes: number;
}

class Unpacking {
  readonly taken = { files: 0, folders: 0, links: 0, bytes: 0 };
  readonly #options: UnpackingOptions;
  readonly #parents: LastFolder<Folder>;
  #entries = 0;

  constructor(options: UnpackingOptions) {
    this.#options = options;
    this.#parents = new LastFolder((names) => options.tree.madeFolder(names));
  }

  async take(entry: ReadEntry, source: ByteSource): Promise<void> {
    this.#entries += 1;
    if (this.#entries > maxEntries)
      throw new CallFailure("payload_too_large", `the archive has more than ${maxEntries} entries`);
    try {
      await this.#take(entry, source);
    } catch (error) {
      throw namedFailure(entry, error);
    }
  }

  close(): Promise<void> {
    return this.#parents.close();
  }

  async #take(entry: ReadEntry, source: ByteSource): Promise<void> {
    if (entry.kind === "other") throw new CallFailure("invalid_request", "neither a file nor a folder nor a link");
    const names = [...this.#options.base, ...namesIn(entry.path)];
    const name = names.at(-1);
    // The folder itself, which archives begin with.
    if (!name || names.length === this.#options.base.length) return;
    const place = { folder: await this.#parents.open(names.slice(0, -1)), name };
    if (entry.kind === "file") await this.#file(entry, source, place);
    else if (entry.kind === "folder") await this.#folder(entry, place);
    else if (entry.kind === "link") await this.#link(place, (path) => symlink(entry.target, path));
    else await this.#hardLink(entry, place);
  }

  async #file(entry: ReadEntry, source: ByteSource, place: Place): Promise<void> {
    const { maxBytes } = this.#options;
    if (this.taken.bytes + entry.size > maxBytes)
      throw new CallFailure("payload_too_large", `the archive's files have more than ${maxBytes} bytes`);
    const file = await this.#options.staging.begin();
    try {
      for (let missing = entry.size; missing > 0; ) {
        const part = await source.some(Math.min(missing, portionBytes));
        if (part.length === 0) throw new CallFailure("invalid_request", "the archive ends within it");
        await file.write(part);
        missing -= part.length;
      }
      await file.handle.chmod(entry.mode & 0o777);
      const mtime = Math.min(entry.mtime, latestMtime);
      await file.handle.utimes(mtime, mtime);
      await this.#put(file, place);
    } finally {
      await file.close();
    }
    this.taken.files += 1;
    this.taken.bytes += entry.size;
  }

  async #folder(entry: ReadEntry, { folder, name }: Place): Promise<void> {
    try {
      // Its owner must be able to go on in it.
      await mkdir(folder.entryOf(name), { mode: (entry.mode & 0o777) | 0o700 });
    } catch (error) {
      if (!isErrno(error, "EEXIST")) throw error;
      // A link to a folder is none.
      await (await folder.step(name)).close();
    }
    this.taken.folders += 1;
  }

  async #hardLink(entry: ReadEntry, place: Place): Promise<void> {
    const { base, tree } = this.#options;
    await tree.at([...base, ...namesIn(entry.target)], async (first) => {
      if (!(await first.folder.facts(first.name)).isFile())
        throw new CallFailure("invalid_request", "a hard link to what is no file");
      await this.#link(place, (path) => link(first.folder.entryOf(first.name), path));
    });
  }

  async #link(place: Place, make: (path: string) => Promise<void>): Promise<void> {
    const made = await this.#options.staging.beginLink(make);
    try {
      await this.#put(made, place);
    } finally {
      await made.close();
    }
    this.taken.links += 1;
  }

  #put(staged: Staged, place: Place): Promise<void> {
    return staged.place(place, this.#options.overwrite);
  }
}

/** The names of a path in an archive, which may begin with `./` and end with a slash. */
function namesIn(path: Buffer): Buffer[] {
  let plain = path;
  while (plain.subarray(0, 2).equals(Buffer.from("./"))) plain = plain.subarray(2);
  while (plain.length > 1 && plain.at(-1) === 0x2f) plain = plain.subarray(0, -1);
  return plain.equals(Buffer.from(".")) ? [] : namesOf(plain);
}

/** Says which entry it was. */
function namedFailure({ path }: ReadEntry, error: unknown): unknown {
  const name = JSON.stringify(path.subarray(0, 200).toString());
  if (error instanceof CallFailure) return new CallFailure(error.code, `${name}: ${error.message}`);
  if (isErrno(error, "EEXIST")) return new CallFailure("exists", `${name} is there already`);
  return error;
}
