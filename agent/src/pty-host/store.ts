import { constants } from "node:fs";
import { open, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isErrno, makePrivateDirectory, readTextIfExists, writeFileAtomic } from "@berth/base/node";
import { parseJson, terminalExitSchema, terminalSizeFields } from "@berth/protocol";
import Type, { type Static } from "typebox";
import { Value } from "typebox/value";
import { limits } from "./limits.ts";
import { OutputRing } from "./ring.ts";

const metaSchema = Type.Object({
  version: Type.Literal(1),
  id: Type.String({ pattern: "^[a-z0-9_-]{1,64}$" }),
  epoch: Type.Integer({ minimum: 1 }),
  /** Null while the program runs; a host that finds it so on its start knows that the program was lost. */
  exit: Type.Union([terminalExitSchema, Type.Null()]),
  lost: Type.Boolean(),
  ...terminalSizeFields,
  title: Type.String({ maxLength: 1024 }),
  /** The program's session, for a later host to end what outlived the one that held its PTY. */
  session: Type.Optional(
    Type.Object({ id: Type.Integer({ minimum: 2 }), bootId: Type.String(), startTicks: Type.String() }),
  ),
});
/** What is kept of a terminal beside its bytes. */
export type TerminalMeta = Static<typeof metaSchema>;

const screenHeaderSchema = Type.Object({
  epoch: Type.Integer({ minimum: 1 }),
  offset: Type.Integer({ minimum: 0 }),
  ...terminalSizeFields,
  approximate: Type.Boolean(),
});
/** A screen on disk: what the terminal showed after the output up to `offset`. */
export type StoredScreen = Static<typeof screenHeaderSchema> & { bytes: Uint8Array };

interface Segment {
  name: string;
  epoch: number;
  offset: number;
  bytes: number;
}

/**
 * A terminal's folder: `meta.json` and `screen`, each replaced atomically, and the ring in files named
 * `<epoch>-<offset>.ring` that are only appended to and deleted whole. What is written is safe from the death of any
 * process and of the container; it is not synced against a power failure of the node.
 */
export class TerminalStore {
  readonly #folder: string;
  #segments: Segment[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Makes the folder, or finds what is in it. */
  async open(): Promise<void> {
    await makePrivateDirectory(this.#folder);
    const names = await readdir(this.#folder);
    const segments = await Promise.all(names.map((name) => this.#segmentOf(name)));
    this.#segments = segments
      .filter((segment) => segment !== undefined)
      .sort((one, other) => one.offset - other.offset);
    await Promise.all(names.filter((name) => name.endsWith(".tmp")).map((name) => this.#delete(name)));
  }

  /** What is known of the terminal, or undefined if nothing valid is there. */
  async readMeta(): Promise<TerminalMeta | undefined> {
    const meta = parseJson((await readTextIfExists(join(this.#folder, "meta.json"))) ?? "");
    return Value.Check(metaSchema, meta) ? meta : undefined;
  }

  async writeMeta(meta: TerminalMeta): Promise<void> {
    await writeFileAtomic(join(this.#folder, "meta.json"), JSON.stringify(meta));
  }

  async readScreen(): Promise<StoredScreen | undefined> {
    try {
      const file = await readFile(join(this.#folder, "screen"));
      const newline = file.indexOf(0x0a);
      const header = parseJson(file.toString("utf8", 0, newline));
      return Value.Check(screenHeaderSchema, header) ? { ...header, bytes: file.subarray(newline + 1) } : undefined;
    } catch (error) {
      if (isErrno(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  async writeScreen({ bytes, ...header }: StoredScreen): Promise<void> {
    await writeFileAtomic(
      join(this.#folder, "screen"),
      Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), bytes]),
    );
  }

  /** Where the epoch's output ends on disk. */
  endOffset(epoch: number): number {
    const last = this.#segments.findLast((segment) => segment.epoch === epoch);
    return last ? last.offset + last.bytes : 0;
  }

  /** The ring of an epoch, as far as it lies on disk without a gap. */
  async readRing(epoch: number): Promise<OutputRing> {
    const segments = this.#segments.filter((segment) => segment.epoch === epoch);
    const first = segments.findLastIndex((segment, index) => {
      const before = segments[index - 1];
      return !before || before.offset + before.bytes !== segment.offset;
    });
    const kept = first < 0 ? [] : segments.slice(first);
    const ring = new OutputRing(limits.ringBytes, limits.firstRingBytes, kept[0]?.offset ?? 0);
    for (const segment of kept) {
      ring.append((await readFile(join(this.#folder, segment.name))).subarray(0, segment.bytes));
    }
    return ring;
  }

  /** Brings the ring's output to disk, and deletes what the ring no longer has. */
  async appendRing(epoch: number, ring: OutputRing): Promise<void> {
    const end = ring.endOffset;
    let from = this.endOffset(epoch);
    // A flood may have overwritten what was not yet written: the files then go on behind the gap.
    if (from < ring.startOffset) from = ring.startOffset;
    const parts: { from: number; bytes: Buffer }[] = [];
    // Copied before the first wait, since the ring goes on meanwhile.
    for (let at = from; at < end; at += limits.segmentBytes) {
      parts.push({ from: at, bytes: ring.copy(at, Math.min(end, at + limits.segmentBytes)) });
    }
    for (const part of parts) await this.#append(epoch, part.from, part.bytes);
    await this.#deleteSegments(
      (segment) => segment.epoch === epoch && segment.offset + segment.bytes <= end - limits.ringBytes,
    );
  }

  /** Deletes the output of earlier epochs. */
  async forgetBefore(epoch: number): Promise<void> {
    await this.#deleteSegments((segment) => segment.epoch < epoch);
  }

  /** Deletes the folder. */
  async remove(): Promise<void> {
    this.#segments = [];
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #append(epoch: number, offset: number, bytes: Buffer): Promise<void> {
    const last = this.#segments.findLast((segment) => segment.epoch === epoch);
    if (last && last.offset + last.bytes === offset && last.bytes < limits.segmentBytes) {
      await this.#writeAt(last.name, bytes, last.bytes);
      last.bytes += bytes.byteLength;
      return;
    }
    const name = `${epoch}-${offset}.ring`;
    await this.#writeAt(name, bytes, 0);
    this.#segments.push({ name, epoch, offset, bytes: bytes.byteLength });
  }

  /** At a position, so that what a full disk cut short is repaired by the next attempt. */
  async #writeAt(name: string, bytes: Buffer, position: number): Promise<void> {
    const file = await open(join(this.#folder, name), constants.O_WRONLY | constants.O_CREAT, 0o600);
    try {
      for (let at = 0; at < bytes.byteLength; ) {
        at += (await file.write(bytes, at, bytes.byteLength - at, position + at)).bytesWritten;
      }
    } finally {
      await file.close();
    }
  }

  async #deleteSegments(isOld: (segment: Segment) => boolean): Promise<void> {
    const old = this.#segments.filter(isOld);
    if (old.length === 0) return;
    this.#segments = this.#segments.filter((segment) => !old.includes(segment));
    await Promise.all(old.map((segment) => this.#delete(segment.name)));
  }

  async #delete(name: string): Promise<void> {
    await rm(join(this.#folder, name), { force: true });
  }

  async #segmentOf(name: string): Promise<Segment | undefined> {
    const match = /^([0-9]{1,15})-([0-9]{1,15})\.ring$/.exec(name);
    if (!match) return undefined;
    const { size } = await stat(join(this.#folder, name));
    return { name, epoch: Number(match[1]), offset: Number(match[2]), bytes: size };
  }
}
