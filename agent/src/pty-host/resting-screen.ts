import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { ScreenModel } from "./screen-model.ts";
import { LineWriter } from "./serialize-lines.ts";
import type { Size } from "./size.ts";
import { snapshotHead, snapshotTail, withScrollback } from "./snapshot.ts";
import { forgetLostWraps, hiddenState } from "./xterm-internals.ts";

/** Lines that are written in one go: a few milliseconds of the loop. */
const blockLines = 256;
/** What is parsed in one go when the screen wakes: xterm lets others run between two writes. */
const wakeBytes = 128 * 1024;
/** Fast: of a screen's bytes it leaves a fifth, and more effort little less. */
const compression = { level: 1 } as const;
const startBytes = Uint32Array.BYTES_PER_ELEMENT;

/** Lines of the normal screen, with what leads from the line before to the first of them. */
interface Block {
  readonly lines: number;
  /** Compressed: where each line begins in the text, behind what leads to it, and the text. */
  readonly packed: Uint8Array;
  /** What opens the link that is open where a line begins; undefined where no link is. */
  readonly openLinks: readonly string[] | undefined;
}

/**
 * A screen that nobody looks at and no output changes, as the bytes of its snapshot, compressed, instead of a model: a
 * hundredth of the memory. Gives every snapshot that the model would have given, byte for byte, and the model back.
 */
export class RestingScreen {
  readonly cols: number;
  readonly rows: number;
  readonly title: string;
  readonly approximate: boolean;
  readonly #blocks: readonly Block[];
  readonly #head: Uint8Array;
  readonly #tail: Uint8Array;
  readonly #unfinished: Uint8Array;

  private constructor(model: ScreenModel | Size, blocks: readonly Block[]) {
    this.cols = model.cols;
    this.rows = model.rows;
    this.#blocks = blocks;
    const extras = "extras" in model ? model.extras : undefined;
    this.title = extras?.title ?? "";
    this.approximate = "approximate" in model && model.approximate;
    this.#head = packed(Buffer.from(extras ? snapshotHead(extras) : ""));
    this.#tail = packed(Buffer.from("extras" in model ? snapshotTail(model.terminal, model.extras) : ""));
    this.#unfinished = Uint8Array.from(extras?.unfinished ?? []);
  }

  /** A screen on which nothing was ever shown: no model is needed before its first output is looked at. */
  static blank({ cols, rows }: Size): RestingScreen {
    return new RestingScreen({ cols, rows }, []);
  }

  /**
   * Writes a model's screen down, a part at a time. Undefined if `isDisturbed` meanwhile: then the model has changed, or
   * is wanted. The model is left as it is.
   */
  static async of(model: ScreenModel, isDisturbed: () => boolean): Promise<RestingScreen | undefined> {
    if (!model.isRestorable) return undefined;
    const { terminal } = model;
    forgetLostWraps(terminal);
    const { normal } = terminal.buffer;
    const writer = new LineWriter(normal.getNullCell(), {
      cols: terminal.cols,
      links: hiddenState(terminal).links,
      detail: "all",
    });
    const blocks: Block[] = [];
    for (let from = 0; from < normal.length; from += blockLines) {
      if (from > 0) await new Promise<void>((resolve) => void setImmediate(resolve));
      if (isDisturbed()) return undefined;
      blocks.push(writeBlock(terminal, writer, from));
    }
    return new RestingScreen(model, blocks);
  }

  /** Lines of the normal screen and its scrollback. */
  get lines(): number {
    return this.#blocks.reduce((sum, { lines }) => sum + lines, 0);
  }

  /** What the model's `snapshot` would give. Undefined if only a model can tell: nothing was ever shown, or too much. */
  snapshot(scrollbackLines: number): Buffer | undefined {
    if (this.#blocks.length === 0) return undefined;
    const [head, tail] = [inflateRawSync(this.#head), inflateRawSync(this.#tail)];
    return withScrollback(Math.min(scrollbackLines, this.lines - this.rows), (lines) =>
      Buffer.concat([head, ...this.#linesFrom(this.lines - this.rows - lines), tail, this.#unfinished]),
    );
  }

  /** The model again, as it was; of one that output has outrun, what it keeps when it skips. */
  async wake(what: "whole" | "outrun" = "whole"): Promise<ScreenModel> {
    const { ScreenModel } = await import("./screen-model.ts");
    const model = new ScreenModel(this.cols, this.rows);
    model.restore(this);
    const head = this.#blocks.length > 0 ? [inflateRawSync(this.#head)] : [];
    if (what === "outrun") {
      await model.write(Buffer.concat(head));
      return model;
    }
    let parts: Uint8Array[] = head;
    let bytes = 0;
    const write = async () => {
      await model.write(Buffer.concat(parts));
      parts = [];
      bytes = 0;
    };
    for (const block of this.#blocks) {
      const { text } = unpack(block);
      parts.push(text);
      bytes += text.byteLength;
      if (bytes >= wakeBytes) await write();
    }
    parts.push(inflateRawSync(this.#tail));
    await write();
    await model.write(this.#unfinished);
    model.restore(this);
    return model;
  }

  *#linesFrom(from: number): Generator<Uint8Array> {
    let first = 0;
    for (const block of this.#blocks) {
      const skipped = from - first;
      first += block.lines;
      if (skipped >= block.lines) continue;
      const { text, starts } = unpack(block);
      if (skipped < 0) yield text;
      else {
        yield Buffer.from(block.openLinks?.[skipped] ?? "");
        yield text.subarray(starts.readUInt32LE(skipped * startBytes));
      }
    }
  }
}

function writeBlock({ buffer }: ScreenModel["terminal"], writer: LineWriter, from: number): Block {
  const { normal } = buffer;
  const to = Math.min(from + blockLines, normal.length);
  const starts = Buffer.allocUnsafe((to - from) * startBytes);
  const parts: Buffer[] = [starts];
  const openLinks: string[] = [];
  let bytes = 0;
  const take = () => {
    const part = Buffer.from(writer.taken());
    parts.push(part);
    bytes += part.byteLength;
  };
  for (let index = from; index < to; index += 1) {
    const line = normal.getLine(index);
    if (!line) throw new Error("a buffer lacks a line");
    if (index > 0) writer.nextLine(line.isWrapped);
    take();
    starts.writeUInt32LE(bytes, (index - from) * startBytes);
    openLinks.push(writer.openLink);
    writer.line(line);
    take();
  }
  if (to === normal.length) writer.finish();
  take();
  const linked = openLinks.some((link) => link !== "");
  return { lines: to - from, packed: packed(Buffer.concat(parts)), openLinks: linked ? openLinks : undefined };
}

function unpack({ lines, packed }: Block): { starts: Buffer; text: Buffer } {
  const bytes = inflateRawSync(packed);
  return { starts: bytes.subarray(0, lines * startBytes), text: bytes.subarray(lines * startBytes) };
}

/** In memory of its own: zlib answers a part of a larger piece. */
function packed(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(deflateRawSync(bytes, compression));
}
