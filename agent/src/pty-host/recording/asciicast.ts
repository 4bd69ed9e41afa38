import { type AsciicastHeader, recordingLimits } from "@berth/protocol";
import { limits } from "../limits.ts";
import type { Size } from "../size.ts";
import { exitStatus, type RecordedEvent, type RecordingSource, recordedEvents } from "./source.ts";

/** Players show a pause as so many seconds at most: a terminal may be silent for a week. */
const idleTimeLimitSeconds = 3;
/** Ends a control sequence that a gap has cut, and colours that it had set. */
const mend = "\x18\x1b[m";

/** A terminal's recording as asciicast v3, in portions of about `limits.recordingChunkBytes`. */
export async function* asciicast(source: RecordingSource): AsyncGenerator<Buffer> {
  const lines = new AsciicastLines(source.meta);
  for await (const event of recordedEvents(source)) {
    for (const portion of portions(event)) {
      lines.add(portion);
      if (lines.length >= limits.recordingChunkBytes) yield lines.take();
    }
  }
  lines.end();
  yield lines.take();
}

function* portions(event: RecordedEvent): Generator<RecordedEvent> {
  if (event.kind !== "output" || event.bytes.byteLength <= recordingLimits.eventBytes) {
    yield event;
    return;
  }
  for (let at = 0; at < event.bytes.byteLength; at += recordingLimits.eventBytes) {
    yield { ...event, bytes: event.bytes.subarray(at, at + recordingLimits.eventBytes) };
  }
}

/** Recorded events as lines of asciicast v3. */
class AsciicastLines {
  readonly #meta: RecordingSource["meta"];
  /** Joins characters that are cut between events; what is none becomes U+FFFD. */
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #text = "";
  #toldMs: number | undefined;
  #nowMs = 0;
  #size: Size | undefined;
  #epoch: number | undefined;
  #exit: number | undefined;

  constructor(meta: RecordingSource["meta"]) {
    this.#meta = meta;
  }

  /** Characters that `take` has. */
  get length(): number {
    return this.#text.length;
  }

  take(): Buffer {
    const bytes = Buffer.from(this.#text);
    this.#text = "";
    return bytes;
  }

  add(event: RecordedEvent): void {
    if ("atMs" in event) this.#nowMs = Math.max(this.#nowMs, event.atMs);
    if (event.kind === "size") this.#resize(event.size);
    else if (event.kind === "output") this.#event("o", this.#decoder.decode(event.bytes, { stream: true }));
    else if (event.kind === "epoch") this.#beginEpoch(event.epoch);
    else if (event.kind === "missing") this.#skip(event.bytes, event.head);
    else this.#exit = event.status;
  }

  /** Behind the last event. */
  end(): void {
    const { cols, rows, exit, lost, epoch } = this.#meta;
    if (this.#toldMs === undefined) this.#resize({ cols, rows });
    this.#endCharacter();
    const isLast = this.#epoch === undefined || this.#epoch === epoch;
    if (isLast && lost) this.#event("m", "The sandbox stopped here");
    else if (isLast && exit) this.#event("x", String(exitStatus(exit)));
    else if (this.#exit !== undefined) this.#event("x", String(this.#exit));
  }

  #resize(size: Size): void {
    const known = this.#size;
    this.#size = size;
    if (this.#toldMs === undefined) this.#header(size);
    else if (known?.cols !== size.cols || known.rows !== size.rows) this.#event("r", `${size.cols}x${size.rows}`);
  }

  #header({ cols, rows }: Size): void {
    this.#toldMs = this.#nowMs;
    const header: AsciicastHeader = {
      version: 3,
      term: { cols, rows, type: "xterm-256color" },
      ...(this.#nowMs > 0 ? { timestamp: Math.floor(this.#nowMs / 1000) } : {}),
      idle_time_limit: idleTimeLimitSeconds,
      ...(this.#meta.title ? { title: this.#meta.title } : {}),
    };
    this.#text += `${JSON.stringify(header)}\n`;
  }

  #beginEpoch(epoch: number): void {
    this.#endCharacter();
    const former = this.#exit === undefined ? "" : `, after it had ended with status ${this.#exit}`;
    if (epoch > 1) this.#event("m", `Started anew${former}`);
    this.#epoch = epoch;
    this.#exit = undefined;
  }

  #skip(bytes: number, head: boolean): void {
    this.#endCharacter();
    this.#event("m", head ? `Begins here: ${bytes} bytes before are not kept` : `${bytes} bytes are missing`);
    this.#event("o", mend);
  }

  /** A character that its end is missing of. */
  #endCharacter(): void {
    this.#event("o", this.#decoder.decode());
  }

  #event(code: "o" | "r" | "m" | "x", data: string): void {
    if (code === "o" && data === "") return;
    const interval = (this.#nowMs - (this.#toldMs ?? this.#nowMs)) / 1000;
    this.#toldMs = this.#nowMs;
    this.#text += `[${interval}, "${code}", ${JSON.stringify(data)}]\n`;
  }
}
