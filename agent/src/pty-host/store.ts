import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { isErrno, makePrivateDirectory, readTextIfExists, writeFileAtomic } from "@berth/base/node";
import { parseJson, terminalExitSchema, terminalSizeFields } from "@berth/protocol";
import Type, { type Static } from "typebox";
import { Value } from "typebox/value";
import { limits } from "./limits.ts";
import type { OutputTimes } from "./recording/times.ts";
import { OutputRing } from "./ring.ts";
import { Segments } from "./segments.ts";

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

/**
 * A terminal's folder: `meta.json` and `screen`, each replaced atomically, and its output in segments: the ring's, and
 * those of its recording. What is written is safe from the death of any process and of the container; it is not synced
 * against a power failure of the node.
 */
export class TerminalStore {
  readonly #folder: string;
  readonly segments: Segments;

  constructor(folder: string) {
    this.#folder = folder;
    this.segments = new Segments(folder);
  }

  /** Makes the folder, or finds what is in it. */
  async open(): Promise<void> {
    await makePrivateDirectory(this.#folder);
    const names = await readdir(this.#folder);
    await this.segments.open(names);
    await Promise.all(
      names.filter((name) => name.endsWith(".tmp")).map((name) => rm(join(this.#folder, name), { force: true })),
    );
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
    return this.segments.endOffset(epoch);
  }

  /** The ring of an epoch, as far as it lies on disk without a gap. */
  async readRing(epoch: number): Promise<OutputRing> {
    const kept = this.segments.unbroken(epoch).filter((segment) => this.segments.isOfRing(segment));
    const ring = new OutputRing(limits.ringBytes, limits.firstRingBytes, kept[0]?.offset ?? 0);
    for (const segment of kept) ring.append(await this.segments.readBytes(segment));
    return ring;
  }

  /** Brings the ring's output to disk, with its times if it is recorded. */
  async appendRing(epoch: number, ring: OutputRing, times?: OutputTimes): Promise<void> {
    const end = ring.endOffset;
    let from = this.endOffset(epoch);
    // A flood may have overwritten what was not yet written: the files then go on behind the gap.
    if (from < ring.startOffset) from = ring.startOffset;
    const parts: { from: number; bytes: Buffer }[] = [];
    // Copied before the first wait, since the ring goes on meanwhile.
    for (let at = from; at < end; at += limits.segmentBytes) {
      parts.push({ from: at, bytes: ring.copy(at, Math.min(end, at + limits.segmentBytes)) });
    }
    for (const part of parts) await this.segments.append(epoch, part.from, part.bytes);
    if (times) await this.segments.appendTimes(epoch, times);
  }

  /** Deletes the output of earlier epochs. */
  async forgetBefore(epoch: number): Promise<void> {
    await this.segments.delete((segment) => segment.epoch < epoch);
  }

  /** Deletes what was recorded; the ring stays. */
  async forgetRecording(): Promise<void> {
    await this.segments.deleteTimes();
    await this.segments.deleteBeyondRing();
  }

  /** Deletes the folder. */
  async remove(): Promise<void> {
    this.segments.forget();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
