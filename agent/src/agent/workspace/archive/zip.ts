import { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { ZipFile } from "yazl";
import type { Job } from "../job.ts";
import { openFile } from "../read.ts";
import type { Packed } from "./walk.ts";

const linkType = 0o120000;
const portionBytes = 64 * 1024;

/** Sends what is walked through as a zip. Names that are not UTF-8, or have a backslash, are shown as well as they can. */
export async function sendZip(job: Job, entries: AsyncIterable<Packed>): Promise<void> {
  const zip = new ZipFile();
  const failed = new Promise<never>((_, reject) => zip.once("error", reject));
  const sending = (async () => {
    for await (const chunk of zip.outputStream) await job.write(Buffer.from(chunk));
  })();
  const adding = (async () => {
    const names = new ZipNames();
    for await (const entry of entries) await add(zip, entry, names);
    zip.end();
  })();
  // The one that fails first is what happened; the other does not wait for it in vain.
  const both = Promise.all([sending, adding]);
  both.catch(() => {});
  try {
    await Promise.race([both, failed]);
  } finally {
    if (zip.outputStream instanceof Readable) zip.outputStream.destroy();
    await Promise.allSettled([sending, adding]);
  }
}

async function add(zip: ZipFile, entry: Packed, names: ZipNames): Promise<void> {
  const name = names.nameFor(entry);
  const options = { mtime: new Date(Number(entry.facts.mtimeMs)), mode: Number(entry.facts.mode) };
  if (entry.kind === "folder") zip.addEmptyDirectory(name, options);
  else if (entry.target) zip.addBuffer(entry.target, name, { ...options, mode: linkType | 0o777 });
  else {
    const file = await openFile(entry.place);
    try {
      const { size } = await file.stat();
      const stream = Readable.from(bytesOf(file, size), { objectMode: false });
      zip.addReadStream(stream, name, { ...options, size });
      await finished(stream);
    } finally {
      await file.close();
    }
  }
}

async function* bytesOf(file: Awaited<ReturnType<typeof openFile>>, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < size; ) {
    const portion = Buffer.allocUnsafe(Math.min(portionBytes, size - at));
    const { bytesRead } = await file.read(portion, 0, portion.length, at);
    if (bytesRead === 0) throw new Error("the file became shorter while it was read");
    yield portion.subarray(0, bytesRead);
    at += bytesRead;
  }
}

/** Names of the entries of one zip, no two of them the same. */
class ZipNames {
  readonly #taken = new Set<string>();

  nameFor({ path }: Packed): string {
    const wanted = path.toString().replaceAll("\\", "_");
    let name = wanted;
    for (let number = 2; this.#taken.has(name); number += 1) name = `${wanted}~${number}`;
    this.#taken.add(name);
    return name;
  }
}
