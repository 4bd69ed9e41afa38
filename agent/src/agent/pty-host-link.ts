import { connect, type Socket } from "node:net";
import { backoffMs, type Clock } from "@berth/base";
import type { TerminalStatus } from "@berth/protocol";
import {
  CallFailure,
  type Channel,
  FrameReader,
  lengthPrefix,
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

/** The agent's side of the PTY host's socket. */
export class PtyHostLink {
  readonly #options: PtyHostLinkOptions;
  #connection: Connection | undefined;

  constructor(options: PtyHostLinkOptions) {
    this.#options = options;
  }

  get connected(): boolean {
    return this.#connection !== undefined;
  }

  /** Keeps a connection until aborted. `onConnected` runs after each new one, which is given up if it rejects. */
  async run(onConnected: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        const connection = await this.#connect();
        this.#connection = connection;
        const stop = () => connection.socket.destroy();
        signal.addEventListener("abort", stop, { once: true });
        await onConnected().then(
          () => {
            attempt = 0;
          },
          (error: unknown) => {
            // A host that does not answer accepts connections all the same: the next one may find it awake.
            if (!signal.aborted) log.error("terminals are not in order", { reason: errorText(error) });
            stop();
          },
        );
        await connection.closed;
        signal.removeEventListener("abort", stop);
        this.#connection = undefined;
        if (!signal.aborted) log.warn("the PTY host has gone");
      } catch (error) {
        if (attempt === 10) log.warn("the PTY host cannot be reached", { reason: errorText(error) });
      }
      await clock.sleep(backoffMs(attempt, { firstMs: 10, maxMs: 1000 }), signal).catch(() => {});
    }
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
    const multiplexer: Multiplexer = new Multiplexer({
      side: "dialler",
      send: (frame) => {
        socket.cork();
        socket.write(lengthPrefix(frame));
        socket.write(frame);
        socket.uncork();
      },
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
