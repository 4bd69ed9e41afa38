import { Socket } from "node:net";
import { disconnect, firstConnectionMessage } from "./wire.ts";

/** What of ssh2's protocol object is used here. */
interface Protocol {
  _onPayload(payload: Buffer): unknown;
  _decipher?: { _onPayload(payload: Buffer): unknown };
  _cipher: { allocPacket(payloadBytes: number): Buffer; encrypt(packet: Buffer): void };
  /** Set while keys are exchanged. */
  _kexinit?: unknown;
  /** What waits for the end of that. */
  _queue?: Buffer[];
  /** Gone once it is of no more use. */
  _destruct?: unknown;
}

/** Before the payload of a packet: its length and that of its padding. */
const payloadStart = 5;
/** How long a side may take to close a connection that was ended. */
const endMs = 1000;

/**
 * The transport of an SSH connection that ssh2 has made, at either end: whole messages in and out, as they stand. ssh2's
 * own interface has streams for known kinds of channels; a relay wants every message, unchanged and in order. Made
 * for the version of ssh2 in package.json; throws at once with another that is not built so.
 */
export class Transport {
  readonly socket: Socket;
  readonly #protocol: Protocol;
  readonly #original: (payload: Buffer) => unknown;
  #take: ((payload: Buffer) => boolean) | undefined;
  #waitingBytes = 0;
  #corked = false;
  readonly #onMoved = new Set<() => void>();

  /** `connection` is a client of ssh2's, or what its server made of one; `handshake` events are its own. */
  constructor(connection: { on(event: "handshake", listener: () => void): unknown }) {
    const { socket, protocol } = innardsOf(connection);
    this.socket = socket;
    this.#protocol = protocol;
    this.#original = protocol._onPayload;
    protocol._onPayload = (payload) => this.#receive(payload);
    // While keys are exchanged another function has its turn.
    if (protocol._decipher?._onPayload === this.#original) protocol._decipher._onPayload = protocol._onPayload;
    connection.on("handshake", () => {
      this.#waitingBytes = 0;
      this.#moved();
    });
    socket.on("drain", () => this.#moved());
  }

  /** Bytes that were sent and that the other side has not taken. */
  get backlogBytes(): number {
    return this.socket.writableLength + this.#waitingBytes;
  }

  /** Called when the backlog has become smaller. */
  onMoved(listener: () => void): void {
    this.#onMoved.add(listener);
  }

  /**
   * Shows every message of the connection protocol to `take` from now on; what it does not take goes to ssh2. The
   * payload is valid during the call only.
   */
  intercept(take: ((payload: Buffer) => boolean) | undefined): void {
    this.#take = take;
  }

  /** Gives ssh2 a message as if it had just come; one that it cannot take ends the connection. */
  deliver(payload: Buffer): void {
    if (this.#protocol._destruct === undefined) return;
    try {
      this.#original(payload);
    } catch {
      this.socket.destroy();
    }
  }

  /** Sends a message; during a key exchange it waits. Does nothing once the connection has ended. */
  send(payload: Buffer): void {
    const protocol = this.#protocol;
    if (!this.socket.writable || protocol._destruct === undefined) return;
    if (protocol._kexinit !== undefined) {
      protocol._queue ??= [];
      protocol._queue.push(Buffer.from(payload));
      this.#waitingBytes += payload.length;
      return;
    }
    this.#cork();
    const packet = protocol._cipher.allocPacket(payload.length);
    packet.set(payload, payloadStart);
    protocol._cipher.encrypt(packet);
  }

  /**
   * Says why, and ends the connection once that is sent, or after a second if the other side does not take it. What waits
   * for the end of a key exchange is lost.
   */
  end(sentence: string): void {
    if (this.#protocol._kexinit === undefined) this.send(disconnect(sentence));
    this.socket.end();
    // Its end is not seen while it is not read.
    this.socket.resume();
    const timer = setTimeout(() => this.socket.destroy(), endMs);
    this.socket.once("close", () => clearTimeout(timer));
  }

  #receive(payload: Buffer): unknown {
    const isConnection = (payload[0] ?? 0) >= firstConnectionMessage;
    if (isConnection && this.#take?.(payload)) return undefined;
    return this.#original(payload);
  }

  /** ssh2 writes a packet in up to three parts: all that one turn sends goes to the kernel at once. */
  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.socket.cork();
    process.nextTick(() => {
      this.#corked = false;
      this.socket.uncork();
    });
  }

  #moved(): void {
    for (const listener of this.#onMoved) listener();
  }
}

function innardsOf(connection: object): { socket: Socket; protocol: Protocol } {
  const socket = "_sock" in connection ? connection._sock : undefined;
  const protocol = "_protocol" in connection ? connection._protocol : undefined;
  if (!(socket instanceof Socket) || !isProtocol(protocol)) {
    throw new Error("ssh2 is not built as this version of Berth expects it");
  }
  return { socket, protocol };
}

function isProtocol(value: unknown): value is Protocol {
  if (typeof value !== "object" || value === null) return false;
  const has = (name: string, type: string) => typeof Reflect.get(value, name) === type;
  return has("_onPayload", "function") && has("_cipher", "object");
}
