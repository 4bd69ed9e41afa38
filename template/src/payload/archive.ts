import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import type { Payload } from "../payload.ts";
import { type Entry, ownerIds } from "./entry.ts";
import { payloadEntries } from "./payload-entries.ts";
import { endOfTar, paddingOf, tarHeader } from "./tar.ts";

/** How much of a file is read at a time. */
const chunkBytes = 1024 * 1024;

/**
 * The payload as a tar stream (ustar), rooted at `/`: unpack it as root with `unpackCommand`. The same payload gives
 * the same bytes. About half a gigabyte, most of it programs that hardly compress.
 */
export function payloadArchive(payload: Payload): Readable {
  return Readable.from(payloadParts(payload), { objectMode: false });
}

/** Unpacks the archive from standard input in a running Debian. Folders that are links (`/bin`) stay so. */
export const unpackCommand =
  "tar --extract --file=- --directory=/ --same-permissions --same-owner --numeric-owner --keep-directory-symlink";

async function* payloadParts(payload: Payload): AsyncGenerator<Buffer> {
  yield* tarOf(await payloadEntries(payload));
}

/** Entries as a tar. */
export async function* tarOf(entries: readonly Entry[]): AsyncGenerator<Buffer> {
  for (const entry of entries) yield* partsOf(entry);
  yield endOfTar;
}

async function* partsOf(entry: Entry): AsyncGenerator<Buffer> {
  if (entry.kind === "link") {
    yield tarHeader({ type: "link", path: entry.path, target: entry.target, mode: 0o777, id: 0, bytes: 0 });
    return;
  }
  const common = { path: entry.path, mode: entry.mode, id: ownerIds[entry.owner] };
  switch (entry.kind) {
    case "directory":
      yield tarHeader({ type: "directory", ...common, bytes: 0 });
      return;
    case "file": {
      const contents = Buffer.from(entry.contents);
      yield tarHeader({ type: "file", ...common, bytes: contents.byteLength });
      yield contents;
      yield paddingOf(contents.byteLength);
      return;
    }
    case "copy": {
      const { size } = await stat(entry.from);
      yield tarHeader({ type: "file", ...common, bytes: size });
      yield* exactly(entry.from, size);
      yield paddingOf(size);
    }
  }
}

/** A file's bytes; throws if it is no longer as long as its header says. */
async function* exactly(path: string, bytes: number): AsyncGenerator<Buffer> {
  let sent = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: chunkBytes })) {
    const part = Buffer.from(chunk);
    sent += part.byteLength;
    yield part;
  }
  if (sent !== bytes) throw new Error(`${path} changed while it was read`);
}
