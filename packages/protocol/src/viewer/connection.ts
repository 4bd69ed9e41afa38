import { type BackoffOptions, backoffMs, unreachable } from "@berth/base";
import { type ClientMessage, parseServerMessage, type ServerMessage } from "../attach.ts";
import { randomKey } from "../random-key.ts";
import { InputStream } from "./input-stream.ts";
import { type AttachOptions, attachTimes } from "./options.ts";
import { ackBatchBytes, type OutputMark, OutputProgress } from "./output-progress.ts";
import type { AttachSocket } from "./socket.ts";
import type { AttachState, TypingResult } from "./state.ts";
import { type TerminalSize, ViewerSize } from "./viewer-size.ts";

const retries: BackoffOptions = { firstMs: 400, maxMs: 10_000 };
/** One frame of input: well below the server's bound for a frame. */
const inputFrameBytes = 64 * 1024;

/** One socket's life; it moves forward only. */
interface Attempt {
  readonly socket: AttachSocket;
  readonly ended: AbortController;
  attached: boolean;
  /** The snapshot frame that comes next stands for all bytes below this position. */
  snapshotDue: { epoch: number; offset: number } | undefined;
  /** What the server says before it closes. */
  error: string | null;
}

/**
 * A viewer's connection to a terminal, over as many sockets as it takes. It counts bytes both ways: output goes on
 * exactly where it ended, or from a snapshot, and what was typed reaches the PTY once and in order.
 */
export class AttachConnection {
  readonly #options: AttachOptions;
  readonly #output = new OutputProgress();
  #input: InputStream;
  #state: AttachState = { phase: "suspended" };
  #attempt: Attempt | undefined;
  #retry: AbortController | undefined;
  #failures = 0;
  #cutAt: number | undefined;
  #heardAt = 0;
  #watching = false;
  #ackTimer = false;
  /** Unsent input is not sent without asking, however short the cut was. */
  #askFirst = false;
  readonly #size = new ViewerSize();

  constructor(options: AttachOptions) {
    this.#options = options;
    if (options.from) this.#output.restart(options.from.epoch, options.from.offset);
    this.#input = new InputStream(this.#newStreamId());
  }

  get state(): AttachState {
    return this.#state;
  }

  /** The life of the terminal that is shown; undefined before the first output. */
  get epoch(): number | undefined {
    return this.#output.epoch;
  }

  /** Bytes of output received in this epoch. */
  get receivedOffset(): number {
    return this.#output.receivedOffset;
  }

  /** Typed bytes that the PTY is not known to have. */
  get pendingInputBytes(): number {
    return this.#input.pendingBytes;
  }

  /** Connects, also after an exit, a failure or a suspension. Does nothing while there is a connection or an attempt. */
  open(): void {
    if (this.#attempt || this.#state.phase === "closed") return;
    this.#connect();
  }

  /** Lets go of the connection until it is opened again: its sandbox does not run. */
  suspend(): void {
    if (this.#state.phase === "closed") return;
    this.#drop();
    this.#markCut();
    this.#enter({ phase: "suspended" });
  }

  /** Ends the connection for good. */
  close(): void {
    this.#drop();
    this.#enter({ phase: "closed" });
  }

  /** A good moment to try: the network is back, the page is seen again, the sandbox's agent is. */
  poke(): void {
    if (this.#state.phase === "waiting") this.#connect();
    else if (this.#attempt && this.#options.clock.now() - this.#heardAt > attachTimes.staleMs) this.#connect();
  }

  /** Types bytes. */
  type(bytes: Uint8Array<ArrayBuffer>): TypingResult {
    switch (this.#state.phase) {
      case "holding":
        return "held";
      case "exited":
      case "failed":
      case "gone":
      case "signedOut":
      case "closed":
        return "ended";
      case "suspended":
      case "connecting":
      case "connected":
      case "waiting":
        break;
      default:
        unreachable(this.#state);
    }
    if (!this.#input.push(bytes)) return "full";
    if (this.#state.phase === "connected") {
      this.claimSize();
      this.#sendInput([bytes]);
    }
    return "taken";
  }

  /** What the terminal answers to its program by itself: of no use later, so it is never kept for another connection. */
  reply(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#state.phase === "connected" && this.#input.push(bytes)) this.#sendInput([bytes]);
  }

  /** Sends the input that was held after a long cut. */
  sendHeld(): void {
    if (this.#state.phase !== "holding") return;
    this.#goOn();
  }

  #goOn(): void {
    this.#askFirst = false;
    this.#enter({ phase: "connected" });
    this.#sendInput(this.#input.pending());
  }

  /**
   * Forgets the input that was held. Bytes of the old stream may still be under way to the PTY, so what is typed from
   * now on is another stream, which takes another connection.
   */
  discardHeld(): void {
    if (this.#state.phase !== "holding") return;
    this.#input = new InputStream(this.#newStreamId());
    this.#askFirst = false;
    this.#connect();
  }

  /** The size that fits here. The server hears of it when it changes, and decides whose size counts. */
  fit(size: TerminalSize): void {
    this.#size.fit(size);
    if (this.#attempt?.attached) this.#tellSize(this.#size.takeNews());
  }

  /** The user is active here: the terminal takes the size that fits here, if it has another. */
  claimSize(): void {
    if (this.#attempt?.attached) this.#tellSize(this.#size.takeClaim());
  }

  #tellSize(size: TerminalSize | undefined): void {
    if (size) this.#sendControl({ type: "resize", ...size });
  }

  #connect(): void {
    this.#drop();
    this.#enter({ phase: "connecting" });
    const attempt: Attempt = {
      socket: this.#options.openSocket(this.#path(), {
        onMessage: (data) => {
          if (attempt === this.#attempt) this.#receive(attempt, data);
        },
        onClose: (code, reason) => {
          if (attempt === this.#attempt) void this.#ended(attempt, code, reason);
        },
      }),
      ended: new AbortController(),
      attached: false,
      snapshotDue: undefined,
      error: null,
    };
    this.#attempt = attempt;
    this.#heardAt = this.#options.clock.now();
    this.#after(attachTimes.connectMs, attempt.ended.signal, () => {
      if (!attempt.attached) this.#cut(null);
    });
  }

  #path(): string {
    const from = this.#output.from;
    return this.#options.address({
      ...this.#size.takeInitial(),
      ...(from === undefined ? {} : { from }),
      input: `${this.#input.id}:${this.#input.writtenOffset}`,
    });
  }

  #receive(attempt: Attempt, data: unknown): void {
    this.#heardAt = this.#options.clock.now();
    if (data instanceof ArrayBuffer) {
      this.#receiveBytes(attempt, new Uint8Array(data));
      return;
    }
    const message = typeof data === "string" ? parseServerMessage(data) : undefined;
    // A message of a later version: what is not understood is left aside.
    if (message) this.#receiveControl(attempt, message);
  }

  #receiveBytes(attempt: Attempt, bytes: Uint8Array<ArrayBuffer>): void {
    const due = attempt.snapshotDue;
    attempt.snapshotDue = undefined;
    if (due) {
      const mark = this.#output.restart(due.epoch, due.offset);
      this.#output.connect(due.offset);
      this.#write(bytes, mark);
    } else if (attempt.attached) {
      this.#write(bytes, this.#output.receive(bytes.length));
    }
  }

  #write(bytes: Uint8Array<ArrayBuffer>, mark: OutputMark): void {
    this.#options.screen.write(bytes, () => {
      this.#output.digest(mark);
      this.#acknowledge();
    });
  }

  #acknowledge(): void {
    if (!this.#attempt?.attached || this.#attempt.snapshotDue) return;
    if (this.#output.unackedBytes >= ackBatchBytes) this.#sendAck();
    else if (this.#output.unackedBytes > 0 && !this.#ackTimer) {
      this.#ackTimer = true;
      void this.#options.clock.sleep(attachTimes.ackMs).then(() => {
        this.#ackTimer = false;
        this.#sendAck();
      });
    }
  }

  #sendAck(): void {
    if (!this.#attempt?.attached || this.#attempt.snapshotDue) return;
    const offset = this.#output.takeAck();
    if (offset !== undefined) this.#sendControl({ type: "ack", offset });
  }

  #receiveControl(attempt: Attempt, message: ServerMessage): void {
    switch (message.type) {
      case "attached":
        this.#attached(attempt, message);
        return;
      case "resync":
        attempt.snapshotDue = { epoch: message.epoch, offset: message.offset };
        return;
      case "resized":
        this.#resized(message);
        return;
      case "inputAck":
        if (!this.#input.confirm(message.offset)) this.#restartInput();
        return;
      case "exit":
        this.#drop();
        this.#input = new InputStream(this.#newStreamId());
        this.#enter({ phase: "exited", exit: { code: message.code, signal: message.signal } });
        return;
      case "error":
        attempt.error = message.detail;
        return;
      default:
        unreachable(message);
    }
  }

  #attached(attempt: Attempt, message: Extract<ServerMessage, { type: "attached" }>): void {
    const newLife = this.#output.epoch !== undefined && message.epoch !== this.#output.epoch;
    const away = this.#cutAt === undefined ? 0 : this.#options.clock.now() - this.#cutAt;
    attempt.attached = true;
    this.#failures = 0;
    this.#cutAt = undefined;
    if (message.mode === "snapshot") attempt.snapshotDue = { epoch: message.epoch, offset: message.offset };
    else this.#output.connect(message.offset);
    this.#resized(message);
    this.#tellSize(this.#size.takeNews());
    this.#acknowledge();
    if (!this.#input.confirm(message.inputOffset)) {
      this.#restartInput();
      return;
    }
    const pending = this.#input.pendingBytes;
    // What was meant for the program of an earlier life may be wrong for this one, however short the cut was.
    if (pending > 0 && (newLife || this.#askFirst || away > attachTimes.holdAfterMs)) {
      this.#enter({ phase: "holding", heldBytes: pending });
      return;
    }
    this.#goOn();
  }

  /** The server lost count of the stream. Sending the rest could type it twice: it becomes another stream, and is held. */
  #restartInput(): void {
    const input = new InputStream(this.#newStreamId());
    for (const chunk of this.#input.pending()) input.push(chunk);
    this.#input = input;
    this.#askFirst = true;
    this.#connect();
  }

  #resized(size: TerminalSize): void {
    this.#options.screen.resized(this.#size.resized({ cols: size.cols, rows: size.rows }));
  }

  #sendInput(chunks: readonly Uint8Array<ArrayBuffer>[]): void {
    const socket = this.#attempt?.socket;
    if (!socket || chunks.length === 0) return;
    for (const chunk of chunks) {
      for (let at = 0; at < chunk.length; at += inputFrameBytes) socket.send(chunk.subarray(at, at + inputFrameBytes));
    }
    this.#watch();
  }

  /** Takes the connection for dead when sent input is followed by silence. */
  #watch(): void {
    const attempt = this.#attempt;
    if (!attempt || this.#watching) return;
    this.#watching = true;
    const since = this.#options.clock.now();
    void this.#options.clock.sleep(attachTimes.deadMs).then(() => {
      this.#watching = false;
      if (this.#input.pendingBytes === 0 || this.#state.phase !== "connected") return;
      if (attempt === this.#attempt && this.#heardAt < since) this.#cut(null);
      else this.#watch();
    });
  }

  #sendControl(message: ClientMessage): void {
    this.#attempt?.socket.send(JSON.stringify(message));
  }

  async #ended(attempt: Attempt, code: number, reason: string): Promise<void> {
    if (code === 1008) {
      this.#drop();
      this.#enter({ phase: "failed", reason: attempt.error ?? (reason || "The server refused the connection.") });
      return;
    }
    const wasAttached = attempt.attached;
    this.#cut(attempt.error);
    if (wasAttached) return;
    const verdict = await this.#options.verdict();
    if (verdict === "retry" || this.#state.phase !== "waiting") return;
    this.#drop();
    this.#enter({ phase: verdict });
  }

  /** The connection is lost: waits, and tries again. */
  #cut(reason: string | null): void {
    this.#drop();
    this.#markCut();
    const { clock, random } = this.#options;
    const waitMs = backoffMs(this.#failures, { ...retries, ...(random ? { random } : {}) });
    this.#failures += 1;
    this.#retry = new AbortController();
    this.#enter({ phase: "waiting", retryAt: clock.now() + waitMs, reason });
    this.#after(waitMs, this.#retry.signal, () => this.#connect());
  }

  #markCut(): void {
    this.#cutAt ??= this.#options.clock.now();
  }

  /** Lets go of the socket and of the wait for the next one. */
  #drop(): void {
    this.#retry?.abort();
    this.#retry = undefined;
    const attempt = this.#attempt;
    this.#attempt = undefined;
    attempt?.ended.abort();
    attempt?.socket.close();
  }

  #after(ms: number, signal: AbortSignal, then: () => void): void {
    this.#options.clock.sleep(ms, signal).then(
      () => {
        if (!signal.aborted) then();
      },
      () => {},
    );
  }

  #enter(state: AttachState): void {
    this.#state = state;
    this.#options.onState(state);
  }

  #newStreamId(): string {
    return this.#options.newStreamId?.() ?? randomKey();
  }
}
