import {
  type AttachParams,
  attachLimits,
  isClientMessage,
  type ServerMessage,
  type TerminalExit,
} from "@berth/protocol";
import type { Channel, CloseReason } from "@berth/protocol/link";
import { limits } from "./limits.ts";
import type { OutputRing } from "./ring.ts";
import type { Size } from "./size.ts";
import type { Snapshot } from "./snapshot.ts";

/** What a viewer needs of its terminal. */
export interface ViewedTerminal {
  readonly epoch: number;
  readonly ring: OutputRing;
  readonly size: Size;
  /** Output that a viewer may have under way at present. */
  readonly windowBytes: number;
  /** Resolves in the turn in which the snapshot is true. */
  snapshot(scrollbackLines: number): Promise<Snapshot>;
  /** The viewer can take more, or no longer counts. */
  madeRoom(viewer: Viewer): void;
  typed(viewer: Viewer, bytes: Uint8Array): void;
  wishes(viewer: Viewer, size: Size): void;
  left(viewer: Viewer): void;
}

/**
 * `starting`: waits for its first snapshot. `live`: takes bytes from the ring. `stalled`: took none for too long, and
 * gets the screen once there is room. `resyncing`: that screen is being made. `closed`: for good.
 */
type ViewerState = "starting" | "live" | "stalled" | "resyncing" | "closed";

/** One viewer of a terminal: a place in its ring. It pulls and keeps no bytes of its own. */
export class Viewer {
  readonly params: AttachParams;
  readonly #terminal: ViewedTerminal;
  readonly #channel: Channel;
  #state: ViewerState = "starting";
  /** Offset of the next byte to send. */
  #cursor = 0;
  /** What the client has digested; undefined until its first `ack`. */
  #ackedOffset: number | undefined;
  /** Where the last snapshot led: nothing before it will be acknowledged any more. */
  #baseOffset = 0;
  /** There was more to send than room. */
  #held = false;
  #inputOffset = 0;
  #toldSize: Size | undefined;
  /** Told when the output up to the offset has gone out. */
  #newSize: { offset: number; size: Size } | undefined;
  #exit: TerminalExit | undefined;

  constructor(terminal: ViewedTerminal, channel: Channel, params: AttachParams) {
    this.#terminal = terminal;
    this.#channel = channel;
    this.params = params;
    channel.handle({
      onData: (payload) => this.#receiveInput(payload),
      onMessage: (message) => this.#receiveMessage(message),
      onCredit: () => this.#roomGrew(),
      onClose: () => this.#end(),
    });
  }

  get closed(): boolean {
    return this.#state === "closed";
  }

  /** Whether the terminal is paced by this viewer at all. One that may only look must not hold the program up. */
  get paces(): boolean {
    if (this.params.readOnly) return false;
    return this.#state === "starting" || this.#state === "live" || this.#state === "resyncing";
  }

  /** Nothing more can be sent now: the window is full, or the screen is being made. */
  get full(): boolean {
    return this.#state !== "live" || this.#room() <= 0;
  }

  /** Begins: answers the attach, and then live bytes. `inputOffset` is where the client's input begins. */
  async start(inputOffset: number): Promise<void> {
    this.#inputOffset = inputOffset;
    const { from } = this.params;
    const { ring, epoch } = this.#terminal;
    if (from && from.epoch === epoch && from.offset >= ring.startOffset && from.offset <= ring.endOffset) {
      this.#cursor = from.offset;
      this.#toldSize = this.#terminal.size;
      this.#tellAttached("exact", from.offset, this.#terminal.size, false);
      this.#state = "live";
      this.pump();
      return;
    }
    const snapshot = await this.#terminal.snapshot(this.params.scrollbackLines);
    if (this.#state !== "starting") return;
    this.#tellAttached("snapshot", snapshot.offset, snapshot, snapshot.approximate);
    this.#goOnFrom(snapshot);
  }

  /** Sends what the ring has and the windows allow. */
  pump(): void {
    if (this.#state === "stalled") void this.#resync();
    if (this.#state !== "live") return;
    const { ring } = this.#terminal;
    if (this.#cursor < ring.startOffset) {
      this.#state = "stalled";
      void this.#resync();
      return;
    }
    while (this.#cursor < ring.endOffset) {
      const room = this.#room();
      this.#held = room <= 0;
      if (this.#held) return;
      const bytes = ring.read(this.#cursor, Math.min(room, limits.frameBytes));
      this.#cursor += bytes.byteLength;
      this.#channel.send(bytes);
      this.#tellSize();
    }
    this.#tellSize();
    if (this.#exit) this.#tellExit(this.#exit);
  }

  /** It made no room for too long: the backlog is dropped for the screen, once there is room. */
  stall(): void {
    if (this.#state === "live" && this.#room() <= 0) this.#state = "stalled";
  }

  /** The terminal's size changed where its output had come to `offset`. */
  resized(size: Size, offset: number): void {
    this.#newSize = { offset, size };
    if (this.#state === "live") this.#tellSize();
  }

  /** The program has ended, after the last byte of the ring. */
  exited(exit: TerminalExit): void {
    this.#exit = exit;
    this.pump();
  }

  /** So much of the client's input stream is written. */
  inputWritten(offset: number): void {
    this.#tell({ type: "inputAck", offset });
  }

  /** Input bytes have left this process. */
  inputConsumed(bytes: number): void {
    this.#channel.consumed(bytes);
  }

  close(reason: CloseReason = {}): void {
    if (this.#state === "closed") return;
    this.#channel.close(reason);
    this.#end();
  }

  /** Bytes that may be sent now: the link's credit, and the client's window once it acknowledges. */
  #room(): number {
    const credit = this.#channel.creditBytes;
    if (this.#ackedOffset === undefined) return credit;
    const digested = Math.max(this.#ackedOffset, this.#baseOffset);
    return Math.min(credit, digested + this.#terminal.windowBytes - this.#cursor);
  }

  async #resync(): Promise<void> {
    // With less room than this, a client that digests slowly would be sent one whole screen after another.
    if (this.#room() < this.#terminal.windowBytes / 2) return;
    this.#state = "resyncing";
    const snapshot = await this.#terminal.snapshot(this.params.scrollbackLines);
    if (this.#state !== "resyncing") return;
    const { cols, rows, offset, approximate } = snapshot;
    if (this.#toldSize?.cols !== cols || this.#toldSize.rows !== rows) this.#tell({ type: "resized", cols, rows });
    const { epoch } = this.#terminal;
    this.#tell({ type: "resync", epoch, offset, ...(approximate ? { approximate } : {}) });
    this.#goOnFrom(snapshot);
  }

  #goOnFrom(snapshot: Snapshot): void {
    this.#toldSize = { cols: snapshot.cols, rows: snapshot.rows };
    this.#cursor = snapshot.offset;
    this.#baseOffset = snapshot.offset;
    this.#state = "live";
    this.#channel.send(snapshot.bytes);
    this.pump();
    this.#terminal.madeRoom(this);
  }

  #tellAttached(mode: "exact" | "snapshot", offset: number, { cols, rows }: Size, approximate: boolean): void {
    const { epoch } = this.#terminal;
    const { windowBytes } = attachLimits;
    const inputOffset = this.#inputOffset;
    const common = { type: "attached", epoch, offset, mode, cols, rows, windowBytes, inputOffset } as const;
    this.#tell(approximate ? { ...common, approximate } : common);
  }

  #tellSize(): void {
    if (!this.#newSize || this.#cursor < this.#newSize.offset) return;
    const { cols, rows } = this.#newSize.size;
    this.#newSize = undefined;
    if (this.#toldSize?.cols === cols && this.#toldSize.rows === rows) return;
    this.#toldSize = { cols, rows };
    this.#tell({ type: "resized", cols, rows });
  }

  #tellExit({ code, signal }: TerminalExit): void {
    this.#tell({ type: "exit", code, signal });
    this.close();
  }

  #tell(message: ServerMessage): void {
    this.#channel.sendMessage(message);
  }

  #receiveInput(payload: Uint8Array): void {
    if (this.params.readOnly) {
      this.close({ code: "forbidden", detail: "this viewer may only look" });
      return;
    }
    // The link's bytes are its own again after this call.
    this.#terminal.typed(this, Uint8Array.from(payload));
  }

  #receiveMessage(message: unknown): void {
    if (!isClientMessage(message)) {
      this.#refuse("not a valid control message");
    } else if (message.type === "resize") {
      // The size is none of a viewer's business who may only look.
      if (this.params.readOnly) return;
      this.#terminal.wishes(this, { cols: message.cols, rows: message.rows });
    } else if (message.offset > this.#cursor) {
      this.#refuse("an acknowledgement of what was not sent");
    } else if (this.#ackedOffset === undefined || message.offset > this.#ackedOffset) {
      this.#ackedOffset = message.offset;
      this.#roomGrew();
    }
  }

  #refuse(detail: string): void {
    this.#tell({ type: "error", code: "invalid_request", detail });
    this.close({ code: "invalid_request", detail });
  }

  #roomGrew(): void {
    // Who was not held is sent new output in its own time: a frame would go out with every acknowledgement.
    if (this.#held || this.#state === "stalled") this.pump();
    if (this.#state !== "closed") this.#terminal.madeRoom(this);
  }

  #end(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#terminal.left(this);
  }
}
