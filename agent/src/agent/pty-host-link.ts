import { connect, type Socket } from "node:net";
import { backoffMs, type Clock } from "@berth/base";
import type { TerminalStatus } from "@berth/protocol";
import {
  CallFailure,
  type Channel,
  FrameReader,
  FrameWriter,
  Multiplexer,
  noInterface,
  Peer,
  ptyHostInterface,
} from "@berth/protocol/link";
import type { Static } from "typebox";
import { errorText, type Log } from "../log.ts";

type Methods = (typeof ptyHostInterface)["methods"];

export interface PtyHostLinkOptions {
  /** The socket's path, at most 107 bytes. */
  path: string;
  clock: Clock;
  log: Log;
  onTerminal(status: TerminalStatus): void;
}

interface Connection {
  readonly socket: Socket;
  readonly multiplexer: Multiplexer;
  readonly peer: Peer<typeof noInterface, typeof ptyHostInterface>;
  readonly closed: Promise<void>;
}

/**
 * Looks, a second each, that a host is given to start: fewer than the ten seconds of a controller's call, which so hears
 * why. Not a time, since that of a container which is frozen goes on.
 */
const startLooks = 9;
const startLookMs = 1_000;

/**
 * The agent's side of the PTY host's socket. Nothing connects until somebody wants the host, since to connect is what
 * starts it.
 */
export class PtyHostLink {
  readonly #options: PtyHostLinkOptions;
  readonly #asked = Promise.withResolvers<void>();
  #wanted = false;
  #inOrder = Promise.withResolvers<void>();
  #connection: Connection | undefined;

  constructor(options: PtyHostLinkOptions) {
    this.#options = options;
  }

  /** Whether there is a connection now. */
  get connected(): boolean {
    return this.#connection !== undefined;
  }

  /** Whether the host has been asked for, from then on for good. */
  get wanted(): boolean {
    return this.#wanted;
  }

  /** Asks for the host. Resolves while `onConnected` has brought it in order, and when `run` has ended. */
  want(): Promise<void> {
    this.#wanted = true;
    this.#asked.resolve();
    return this.#inOrder.promise;
  }

  /** Asks for the host and waits until it is in order. Rejects with `CallFailure` if it does not start. */
  async started(): Promise<void> {
    let started = false;
    const inOrder = this.want().then(() => {
      started = true;
    });
    for (let look = 0; look < startLooks; look += 1) {
      const ended = new AbortController();
      await Promise.race([inOrder, this.#options.clock.sleep(startLookMs, ended.signal).catch(() => {})]);
      ended.abort();
      if (started) return;
    }
    throw new CallFailure("pty_host_unavailable", `the PTY host has not started within ${startLooks} seconds`);
  }

  /**
   * Keeps a connection, from when the host is first wanted until aborted. `onConnected` runs after each new one, which is
   * given up if it rejects.
   */
  async run(onConnected: () => Promise<void>, signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.#asked.resolve(), { once: true });
    if (!signal.aborted) await this.#asked.promise;
    await this.#keep(onConnected, signal);
    this.#inOrder.resolve();
  }

  async #keep(onConnected: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        if (await this.#serve(onConnected, signal)) attempt = 0;
      } catch (error) {
        if (attempt === 10) log.warn("the PTY host cannot be reached", { reason: errorText(error) });
      }
      await clock.sleep(backoffMs(attempt, { firstMs: 10, maxMs: 1000 }), signal).catch(() => {});
    }
  }

  /** One connection, from the dial to its end; answers whether it came in order. */
  async #serve(onConnected: () => Promise<void>, signal: AbortSignal): Promise<boolean> {
    const { log } = this.#options;
    const connection = await this.#connect();
    this.#connection = connection;
    const stop = () => connection.socket.destroy();
    signal.addEventListener("abort", stop, { once: true });
    const inOrder = await onConnected().then(
      () => true,
      (error: unknown) => {
        // A host that does not answer is connected to all the same: the next connection may find it awake.
        if (!signal.aborted) log.error("terminals are not in order", { reason: errorText(error) });
        stop();
        return false;
      },
    );
    if (inOrder) this.#inOrder.resolve();
    await connection.closed;
    signal.removeEventListener("abort", stop);
    this.#connection = undefined;
    // Whoever waited through a connection that did not come in order goes on waiting.
    if (inOrder) this.#inOrder = Promise.withResolvers<void>();
    if (!signal.aborted) log.warn("the PTY host has gone");
    return inOrder;
  }

  /** Calls the PTY host. Rejects with `CallFailure`, code `pty_host_unavailable`, while there is none. */
  call<Name extends keyof Methods & string>(
    name: Name,
    params: Static<Methods[Name]["params"]>,
  ): Promise<Static<Methods[Name]["result"]>> {
    const connection = this.#connection;
    if (!connection) return Promise.reject(new CallFailure("pty_host_unavailable", "the PTY host is not running"));
    return connection.peer.call(name, params);
  }

  /** Opens a channel, or answers undefined while there is no PTY host. */
  open(kind: string, params: unknown): Channel | undefined {
    return this.#connection?.multiplexer.open(kind, params);
  }

  #connect(): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ path: this.#options.path });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(this.#connectionOver(socket));
      });
    });
  }

  #connectionOver(socket: Socket): Connection {
    const { log, onTerminal } = this.#options;
    const writer = new FrameWriter((bytes, onWritten) => socket.write(bytes, onWritten));
    const multiplexer: Multiplexer = new Multiplexer({
      side: "dialler",
      allocate: writer.allocate,
      send: writer.send,
      onControl: (message) => peer.receive(message),
    });
    const peer = new Peer<typeof noInterface, typeof ptyHostInterface>({
      local: noInterface,
      remote: ptyHostInterface,
      handlers: {},
      send: (message) => multiplexer.sendControl(message),
      // The one event there is; the peer has checked it.
      onEvent: (_name, status) => onTerminal(status as TerminalStatus),
    });
    const reader = new FrameReader((frame) => multiplexer.receive(frame));
    socket.on("data", (chunk) => {
      try {
        reader.push(chunk);
      } catch (error) {
        log.error("the PTY host broke the link's rules", { reason: errorText(error) });
        socket.destroy();
      }
    });
    socket.on("error", () => {});
    const closed = new Promise<void>((resolve) => {
      socket.on("close", () => {
        peer.close();
        multiplexer.close("pty_host_unavailable");
        resolve();
      });
    });
    return { socket, multiplexer, peer, closed };
  }
}
