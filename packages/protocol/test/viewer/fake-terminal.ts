import { Value } from "typebox/value";
import {
  attachParams,
  attachQuerySchema,
  type ClientMessage,
  parseClientMessage,
  type ServerMessage,
} from "../../src/index.ts";
import type { OpenSocket, SocketEvents } from "../../src/viewer/socket.ts";

type Frame = string | Uint8Array<ArrayBuffer>;

/** Begins each snapshot: a full reset. */
export const reset = "\u001bc";

/**
 * A terminal as its PTY host keeps it, which viewers attach to over lines that deliver nothing by themselves: a test
 * says how many frames arrive, and when a line is cut with the rest of them.
 */
export class FakeTerminal {
  epoch = 1;
  /** All output of this epoch. Characters are bytes. */
  output = "";
  /** Bytes of output that the ring still has. */
  ringBytes = 64;
  /** What was written to the PTY, whatever the epoch. */
  typed = "";
  size = { cols: 80, rows: 24 };
  /** Every line that was ever opened. */
  readonly lines: Line[] = [];
  /** The input streams that the PTY host remembers. */
  readonly #streams = new Map<string, number>();

  get line(): Line | undefined {
    const last = this.lines.at(-1);
    return last?.open ? last : undefined;
  }

  readonly open: OpenSocket = (path, events) => {
    const line = new Line(this, new URL(path, "http://console").searchParams, events);
    this.lines.push(line);
    return line;
  };

  print(text: string): void {
    this.output += text;
    for (const line of this.lines) if (line.attached) line.down.push(bytesOf(text));
  }

  /** The program is started anew. */
  restart(): void {
    this.epoch += 1;
    this.output = "";
  }

  snapshot(): Uint8Array<ArrayBuffer> {
    return bytesOf(reset + this.output);
  }

  /** Attaches a viewer: what the server says first. */
  attach(search: URLSearchParams): Frame[] {
    const query = Value.Convert(attachQuerySchema, Object.fromEntries(search));
    if (!Value.Check(attachQuerySchema, query)) throw new Error(`not an attach query: ${search}`);
    const { from, input } = attachParams("trm", query);
    const end = this.output.length;
    const exact = from?.epoch === this.epoch && from.offset <= end && from.offset >= end - this.ringBytes;
    const offset = exact ? (from?.offset ?? 0) : end;
    const inputOffset = input ? (this.#streams.get(input.stream) ?? input.offset) : 0;
    const attached: ServerMessage = {
      type: "attached",
      epoch: this.epoch,
      offset,
      mode: exact ? "exact" : "snapshot",
      ...this.size,
      windowBytes: 262_144,
      inputOffset,
    };
    const rest = exact ? bytesOf(this.output.slice(offset)) : this.snapshot();
    return exact && rest.length === 0 ? [JSON.stringify(attached)] : [JSON.stringify(attached), rest];
  }

  /** Bytes of an input stream from an offset on: those that were written already are not written again. */
  write(stream: string, offset: number, bytes: Uint8Array): number {
    const written = this.#streams.get(stream) ?? offset;
    this.typed += textOf(bytes.subarray(Math.max(0, written - offset)));
    const end = Math.max(written, offset + bytes.length);
    this.#streams.set(stream, end);
    return end;
  }

  /** The PTY host forgets how much it has of each stream. */
  forgetStreams(): void {
    for (const stream of this.#streams.keys()) this.#streams.set(stream, 0);
  }
}

/** One viewer's connection. Frames wait in both directions until the test lets them arrive. */
export class Line {
  /** Neither cut nor left by the viewer. */
  open = true;
  #cut = false;
  attached = false;
  readonly query: URLSearchParams;
  readonly down: Frame[] = [];
  readonly up: Frame[] = [];
  /** Control messages that arrived. */
  readonly heard: ClientMessage[] = [];
  readonly #terminal: FakeTerminal;
  readonly #events: SocketEvents;
  readonly #stream: string;
  #inputOffset = 0;

  constructor(terminal: FakeTerminal, query: URLSearchParams, events: SocketEvents) {
    this.#terminal = terminal;
    this.#events = events;
    this.query = query;
    this.#stream = query.get("input")?.split(":")[0] ?? "";
  }

  /** The upgrade succeeds: the server speaks first. */
  accept(): void {
    if (!this.open || this.attached) return;
    this.attached = true;
    const frames = this.#terminal.attach(this.query);
    this.#inputOffset = inputOffsetOf(frames[0]);
    this.down.push(...frames);
  }

  /** Lets frames arrive at the viewer, even if it has left: a socket that is closing still delivers. */
  deliverDown(count = Number.POSITIVE_INFINITY): void {
    for (let left = count; left > 0 && !this.#cut && this.down.length > 0; left -= 1) {
      const frame = this.down.shift();
      this.#events.onMessage(frame instanceof Uint8Array ? frame.slice().buffer : frame);
    }
  }

  /** Lets frames arrive at the server, even of a line that the viewer has left. */
  deliverUp(count = Number.POSITIVE_INFINITY): void {
    for (let left = count; left > 0 && this.up.length > 0; left -= 1) {
      const frame = this.up.shift();
      if (frame instanceof Uint8Array) {
        this.#terminal.write(this.#stream, this.#inputOffset, frame);
        this.#inputOffset += frame.length;
        this.tell({ type: "inputAck", offset: this.#inputOffset });
      } else if (frame !== undefined) {
        const message = parseClientMessage(frame);
        if (!message) throw new Error(`not a client message: ${frame}`);
        this.heard.push(message);
      }
    }
  }

  tell(message: ServerMessage): void {
    this.down.push(JSON.stringify(message));
  }

  /** The viewer was too slow: what waits for it is dropped, and the screen comes instead. */
  resync(): void {
    if (!this.attached || !this.open) return;
    const control = this.down.filter((frame) => typeof frame === "string" && !/"(attached|resync)"/.test(frame));
    // The first words and their snapshot must not be lost.
    if (this.down.some((frame) => typeof frame === "string" && /"(attached|resync)"/.test(frame))) return;
    this.down.splice(0, this.down.length, ...control);
    this.tell({ type: "resync", epoch: this.#terminal.epoch, offset: this.#terminal.output.length });
    this.down.push(this.#terminal.snapshot());
  }

  /** The connection breaks; what was under way to the viewer is lost, and `lost` of what was under way from it. */
  cut(lost = true, code = 1006, reason = ""): void {
    if (!this.open) return;
    this.open = false;
    this.#cut = true;
    if (lost) this.up.length = 0;
    else this.deliverUp();
    this.#events.onClose(code, reason);
  }

  // The viewer's side.
  send(data: Frame): void {
    if (this.open) this.up.push(typeof data === "string" ? data : data.slice());
  }

  close(): void {
    this.open = false;
  }
}

export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

export function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function inputOffsetOf(frame: Frame | undefined): number {
  const found = typeof frame === "string" ? /"inputOffset":(\d+)/.exec(frame) : null;
  return Number(found?.[1] ?? 0);
}
