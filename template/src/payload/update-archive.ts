import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Payload } from "../payload.ts";
import { tarOf } from "./archive.ts";
import { updateEntries } from "./payload-entries.ts";

/** A version of the agent's programs as it goes into a sandbox that has another one. */
export interface UpdateArchive {
  /** As an agent of this version tells it. */
  readonly version: string;
  /** A gzipped tar, of about 300 KB. */
  readonly archive: Buffer;
  /** Of the archive, hexadecimal. */
  readonly sha256: string;
}

/** Packs the agent's programs of a payload. */
export async function updateArchive(payload: Payload): Promise<UpdateArchive> {
  const version = (await readFile(join(payload.programs, "version"), "utf8")).trim();
  const parts: Buffer[] = [];
  for await (const part of tarOf(await updateEntries(payload))) parts.push(part);
  const archive = await promisify(gzip)(Buffer.concat(parts));
  return { version, archive, sha256: createHash("sha256").update(archive).digest("hex") };
}
