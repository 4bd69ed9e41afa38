import type { BigIntStats } from "node:fs";
import { readlink } from "node:fs/promises";
import type { Place } from "../tree.ts";

/** Something that goes into an archive. */
export interface Packed {
  /** In the archive, without a slash at its end. */
  readonly path: Buffer;
  readonly kind: "file" | "folder" | "link";
  readonly facts: BigIntStats;
  /** Of a link. */
  readonly target: Buffer | undefined;
  /** Where it is, until the next step of the walk. */
  readonly place: Place;
}

/** A file, or a folder with all that is below it, folders before what is in them. Links are not followed. */
export async function* walk(place: Place, path: Buffer): AsyncGenerator<Packed> {
  const { folder, name } = place;
  const facts = await folder.facts(name);
  if (facts.isSymbolicLink()) {
    const target = await readlink(folder.entryOf(name), { encoding: "buffer" });
    yield { path, kind: "link", facts, target, place };
  } else if (facts.isFile()) {
    yield { path, kind: "file", facts, target: undefined, place };
  } else if (facts.isDirectory()) {
    yield { path, kind: "folder", facts, target: undefined, place };
    const inner = await folder.step(name);
    try {
      const entries = await inner.names();
      entries.sort((a, b) => Buffer.compare(a.name, b.name));
      for (const entry of entries) yield* walk({ folder: inner, name: entry.name }, below(path, entry.name));
    } finally {
      await inner.close();
    }
  }
}

/** The path of an entry in a folder. */
export function below(path: Buffer, name: Buffer): Buffer {
  return Buffer.concat([path, Buffer.from("/"), name]);
}
