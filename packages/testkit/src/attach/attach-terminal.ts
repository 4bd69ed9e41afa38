import { type ClientMessage, parseServerMessage, type ServerMessage, type TerminalExit } from "@berth/protocol";
import { WebSocket } from "ws";
import { eventually } from "../eventually.ts";
import { type AttachOptions, attachHeaders, attachUrl } from "./attach-options.ts";
import { ByteRecord, type ByteRun } from "./byte-record.ts";
import { type AttachClose, AttachRefused, connect } from "./connection.ts";
import { InputStream } from "./input-stream.ts";
import { TerminalScreen } from "./terminal-screen.ts";

type Attached = Extract<ServerMessage, { type: "attached" }>;

/** A viewer of a terminal that holds the attach protocol to its word: whatever breaks it throws from `failure`. */
export class AttachedTerminal {
  readonly #options: AttachOptions;
  readonly #record = new ByteRecord();
  readonly #input = new InputStream();
  readonly screen: TerminalScreen;
  /** Every control message, in its order. */
  readonly messages: ServerMessage[] = [];
  /** The snapshots that came, in their order. */
  readonly snapshots: Buffer[] = [];
  /** How the connections ended, in their order. */
  readonly closes: AttachClose[] = [];
  #socket: WebSocket | undefined;
  #snapshotPending: { epoch: number; offset: number } | undefined;
  #acknowledged = 0;
  /** Whether the present connection has sent `attached`. */
  #live = false;
  #ended = false;
  #failure: Error | undefined;

  constructor(options: AttachOptions) {
    this.#options = options;
    this.screen = new TerminalScreen({
      cols: options.cols ?? 80,
      rows: options.rows ?? 24,
      scrollback: options.scrollback ?? 1000,
    });
  }

  /** Connects and waits for `attached`, or for the connection's end. */
  async open(): Promise<void> {
    const closes = this.closes.length;
    const input = this.#countsInput ? this.#input.query : undefined;
    await connect(attachUrl(this.#options, this.#from(), input), attachHeaders(this.#options), this.#options.ca, {
      onOpen: (socket) => {
        this.#socket = socket;
        if (this.#ended) socket.terminate();
      },
      onBytes: (bytes) => this.#guard(() => this.#onBytes(bytes)),
      onText: (text) => this.#guard(() => this.#onText(text)),
      onClose: (close) => this.#onClose(close),
    });
    // Longer than the server itself waits for a sandbox's agent: giving up earlier would leave two connections.
    const answered = () => this.#live || this.closes.length > closes;
    await eventually(answered, { what: "attached", timeoutMs: 30_000 });
  }

  /** What broke the protocol, if anything did. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** The `attached` messages, one a connection. */
  get attaches(): Attached[] {
    return this.messages.filter((message) => message.type === "attached");
  }

  get connected(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  get epoch(): number {
    return this.#record.epoch;
  }

  /** The absolute offset behind the last output byte. */
  get offset(): number {
    return this.#record.end;
  }

  /** The output in runs without a gap. One run: not a byte was left out since the first attach. */
  get runs(): ByteRun[] {
    return this.#record.runs;
  }

  /** The exact output from an absolute offset on; throws when some of it was left out. */
  bytesSince(offset: number): Buffer {
    this.#check();
    return this.#record.since(offset);
  }

  /** Types. What is not acknowledged is sent again after a reconnection. */
  write(data: string | Uint8Array): void {
    const bytes = Buffer.from(data);
    if (this.#countsInput) this.#input.append(bytes);
    // Before `attached`, input waits: what is kept is sent then.
    if (this.connected && this.#live) this.#socket?.send(bytes);
  }

  /** Input bytes that are known to be written to the PTY, and those that are not. */
  get input(): { acknowledged: number; pending: number } {
    return { acknowledged: this.#input.acknowledged, pending: this.#input.pendingBytes };
  }

  resize(cols: number, rows: number): void {
    this.#send({ type: "resize", cols, rows });
  }

  /** Stops reading from the connection: what a slow viewer does. */
  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  /** Sends a text frame as it is, to break the protocol. */
  sendText(text: string): void {
    this.#socket?.send(text);
  }

  /** Loses the connection without a goodbye. */
  drop(): void {
    this.#socket?.terminate();
  }

  /** Waits for a text on the screen; 10 s by default. */
  async waitForText(wanted: string | RegExp, timeoutMs = 10_000): Promise<string> {
    const text = await this.screen.waitForText(wanted, timeoutMs).catch((error: unknown) => {
      throw this.#failure ?? error;
    });
    this.#check();
    return text;
  }

  /** Waits for text among the exact output since the last snapshot; answers the absolute offset behind it. */
  async waitForBytes(wanted: string, timeoutMs = 10_000): Promise<number> {
    const look = () => {
      this.#check();
      const run = this.runs.at(-1);
      const at = run?.bytes.indexOf(wanted) ?? -1;
      return run && at >= 0 ? { end: run.start + at + Buffer.byteLength(wanted) } : undefined;
    };
    return (await eventually(look, { timeoutMs, what: `output with ${JSON.stringify(wanted)}` })).end;
  }

  /** Waits for the first control message of this type, past ones included. */
  async waitForMessage<T extends ServerMessage["type"]>(
    type: T,
    timeoutMs = 10_000,
  ): Promise<Extract<ServerMessage, { type: T }>> {
    const isWanted = (message: ServerMessage): message is Extract<ServerMessage, { type: T }> => message.type === type;
    return eventually(() => this.messages.find(isWanted), { timeoutMs, what: `a message "${type}"` });
  }

  /** Waits until the terminal's program has ended, the server has closed, and all is on the screen; answers how it ended. */
  async waitForExit(timeoutMs = 10_000): Promise<TerminalExit> {
    const { code, signal } = await this.waitForMessage("exit", timeoutMs);
    await eventually(() => this.closes.length > 0 && !this.connected, { timeoutMs, what: "the close after the exit" });
    await this.screen.drained();
    return { code, signal };
  }

  /** Closes for good. */
  async close(): Promise<void> {
    this.#ended = true;
    const socket = this.#socket;
    if (socket && socket.readyState !== WebSocket.CLOSED) {
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.resume();
      socket.close(1000);
      const timer = setTimeout(() => socket.terminate(), 1000);
      await closed;
      clearTimeout(timer);
    }
    this.screen.dispose();
  }

  #onText(text: string): void {
    const message = parseServerMessage(text);
    if (!message) throw new Error(`not a message of the attach protocol: ${text.slice(0, 200)}`);
    if (this.#snapshotPending) throw new Error(`"${message.type}" came where a snapshot was due`);
    // Why it cannot be attached now may come instead, before the close.
    const opens = message.type === "attached" || message.type === "error";
    if (!this.#live && !opens) throw new Error(`"${message.type}" came first: ${text}`);
    switch (message.type) {
      case "attached":
        this.#onAttached(message);
        break;
      case "resync":
        this.#snapshotPending = message;
        break;
      case "resized":
        this.screen.resize(message.cols, message.rows);
        break;
      case "inputAck":
        this.#input.acknowledge(message.offset);
        break;
      case "exit":
        this.#ended = true;
        break;
      case "error":
        break;
    }
    this.messages.push(message);
  }

  #onAttached(message: Attached): void {
    this.screen.resize(message.cols, message.rows);
    if (message.mode === "snapshot") this.#snapshotPending = message;
    else {
      const from = this.#from();
      if (from?.epoch !== message.epoch || from.offset !== message.offset) {
        throw new Error(`exact from ${message.epoch}:${message.offset}, but asked for ${JSON.stringify(from)}`);
      }
      this.#record.begin(message.epoch, message.offset);
    }
    this.#acknowledged = message.offset;
    this.#live = true;
    if (this.#countsInput) {
      const rest = this.#input.acknowledge(message.inputOffset);
      if (rest.length > 0) this.#socket?.send(rest);
    }
  }

  #onBytes(bytes: Buffer): void {
    const live = this.#snapshotPending;
    if (live) {
      this.#snapshotPending = undefined;
      this.snapshots.push(bytes);
      this.screen.write(bytes);
      this.#record.begin(live.epoch, live.offset);
      this.#acknowledged = live.offset;
      return;
    }
    this.#record.append(bytes);
    this.screen.write(bytes);
    this.#acknowledge();
  }

  /** Every eighth of the window, so that the window never runs full while this side reads. */
  #acknowledge(): void {
    const step = (this.attaches.at(-1)?.windowBytes ?? 0) / 8;
    if (!(this.#options.acknowledge ?? true) || this.offset - this.#acknowledged < step) return;
    this.#acknowledged = this.offset;
    this.#send({ type: "ack", offset: this.offset });
  }

  #onClose(close: AttachClose): void {
    this.closes.push(close);
    this.#live = false;
    this.#snapshotPending = undefined;
    if (this.#ended || this.#failure || !this.#options.reconnectMs) return;
    this.#reconnect(this.#options.reconnectMs).catch((error: unknown) => {
      this.#failure ??= error instanceof Error ? error : new Error(String(error));
    });
  }

  async #reconnect(withinMs: number): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (!this.#ended) {
      try {
        return await this.open();
      } catch (error) {
        // A server that starts up answers 503; other refusals are final.
        const final = error instanceof AttachRefused && error.status < 500;
        if (final || performance.now() > deadline) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  #from(): { epoch: number; offset: number } | undefined {
    return this.#record.started ? { epoch: this.epoch, offset: this.offset } : this.#options.from;
  }

  get #countsInput(): boolean {
    return this.#options.countInput ?? true;
  }

  #send(message: ClientMessage): void {
    if (this.connected) this.#socket?.send(JSON.stringify(message));
  }

  /** A breach of the protocol ends the connection and is told by the next wait. */
  #guard(handle: () => void): void {
    if (this.#failure) return;
    try {
      handle();
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
      this.#socket?.terminate();
    }
  }

  #check(): void {
    if (this.#failure) throw this.#failure;
  }
}

/** Attaches to a terminal; rejects with `AttachRefused` when the server does not let it. */
export async function attachTerminal(options: AttachOptions): Promise<AttachedTerminal> {
  const terminal = new AttachedTerminal(options);
  try {
    await terminal.open();
  } catch (error) {
    await terminal.close();
    throw error;
  }
  const [refusal] = terminal.closes;
  const failure = terminal.failure;
  if (failure || (terminal.attaches.length === 0 && !options.reconnectMs)) {
    await terminal.close();
    throw failure ?? new Error(`the connection closed with ${refusal?.code} ${refusal?.reason} before "attached"`);
  }
  return terminal;
}
