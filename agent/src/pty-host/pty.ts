import { closeSync, constants as openFlags, openSync, writeSync } from "node:fs";
import type { OnReadOpts, SocketConstructorOpts } from "node:net";
import { constants } from "node:os";
import { ReadStream } from "node:tty";
import { isErrno } from "@berth/base/node";
import type { Environment, TerminalExit } from "@berth/protocol";
import { loadNativeModule } from "node-pty/lib/utils.js";
import { watchExit } from "./exit-watch.ts";
import { limits } from "./limits.ts";
import { killFirst } from "./out-of-memory.ts";
import { signalSession } from "./session.ts";

/** What a terminal needs of its PTY. */
export interface Pty {
  /** The program's process, which leads a session of its own. */
  readonly pid: number;
  /** Writes what the kernel takes at once; answers how many bytes. 0: try again later. */
  write(bytes: Uint8Array): number;
  resize(cols: number, rows: number): void;
  /** Stops and continues reading; a program that writes on is then held by the kernel. */
  pause(): void;
  resume(): void;
  /** Ends every process of the session: SIGHUP, and SIGKILL after `limits.killGraceMs`. */
  end(): Promise<void>;
  /** Path of the program's side. */
  readonly slave: string;
  /** Stops reading; answers what the next host needs. Undefined once the end is told. */
  handOver(): OpenPty | undefined;
}

/** A PTY that this process has open, for the program that takes its place to go on with. */
export interface OpenPty {
  readonly fd: number;
  /** The program's process, a child of this one. */
  readonly pid: number;
  readonly slave: string;
  /** How the program ended, if it has, and its last output may not be read yet. */
  readonly exit?: TerminalExit;
}

/** What a PTY tells. */
export interface PtyEvents {
  /** The bytes are valid during the call only. */
  onData(chunk: Uint8Array): void;
  /** Once, after the last byte. */
  onExit(exit: TerminalExit): void;
}

export interface PtyOptions extends PtyEvents {
  argv: readonly string[];
  cwd: string;
  env: Environment;
  cols: number;
  rows: number;
}

/** Starts programs in PTYs. A program or folder that is not there shows as a message on the terminal, and exit code 1. */
export type SpawnPty = (options: PtyOptions) => Pty;

/** Goes on with a program that the host before this one started, in this very process. */
export type AdoptPty = (open: OpenPty, events: PtyEvents) => Pty;

const { module: native } = loadNativeModule("pty");
const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number as number, name]));

export const spawnPty: SpawnPty = (options) => {
  const [file = "", ...args] = options.argv;
  const env = Object.entries(options.env).map(([name, value]) => `${name}=${value}`);
  const { cwd, cols, rows } = options;
  const onExit = (code: number, signal: number) => pty.programEnded(exitOf(code, signal));
  const { fd, pid, pty: slave } = native.fork(file, args, env, cwd, cols, rows, -1, -1, true, "", onExit);
  killFirst(pid);
  const pty = new NativePtyProcess({ fd, pid, slave }, options);
  return pty;
};

export const adoptPty: AdoptPty = (open, events) => {
  const pty = new NativePtyProcess(open, events);
  if (open.exit) {
    pty.programEnded(open.exit);
    return pty;
  }
  watchExit(open.pid, (status) => {
    pty.programEnded(status === undefined ? { code: null, signal: null } : exitOf(status >> 8, status & 0x7f));
  });
  return pty;
};

function exitOf(code: number, signal: number): TerminalExit {
  return signal ? { code: null, signal: signalNames.get(signal) ?? `SIG${signal}` } : { code, signal: null };
}

/**
 * What every terminal is read into: a read and what is done with it end before the next one begins. It has the size that
 * Linux gives at a time in a flood, since libuv reads again at once only after a read that filled its buffer, and asks
 * epoll otherwise.
 */
const readBuffer = new Uint8Array(4095);

/** Reads a terminal; the bytes are valid during the call only. */
function openStream(fd: number, onData: (chunk: Uint8Array) => void): ReadStream {
  const onread: OnReadOpts = {
    buffer: readBuffer,
    callback: (bytes) => {
      onData(readBuffer.subarray(0, bytes));
      return true;
    },
  };
  const options: SocketConstructorOpts = { onread };
  const stream = new ReadStream(fd, options);
  stream.resume();
  return stream;
}

/** A program in a PTY of node-pty's native module; that closes every other descriptor in the child before it starts. */
class NativePtyProcess implements Pty {
  readonly #events: PtyEvents;
  readonly #open: OpenPty;
  readonly #stream: ReadStream;
  /**
   * This host's own hold on the program's side of the terminal. When the last process closes that side, the kernel
   * (Linux 6.18 too) throws away what was written and not yet read: up to 12 KB of a program that writes much and exits.
   */
  readonly #hold: number;
  #exit: TerminalExit | undefined;
  #streamEnded = false;
  #reported = false;
  #readBytes = 0;
  #idleTimer: NodeJS.Timeout | undefined;
  #drainTimer: NodeJS.Timeout | undefined;
  readonly #ended = Promise.withResolvers<void>();

  constructor(open: OpenPty, events: PtyEvents) {
    this.#open = open;
    this.#events = events;
    this.#hold = openSync(open.slave, openFlags.O_RDWR | openFlags.O_NOCTTY);
    this.#stream = openStream(open.fd, (chunk) => {
      this.#readBytes += chunk.byteLength;
      this.#events.onData(chunk);
    });
    // A read of a terminal that failed; the stream then closes itself.
    this.#stream.on("error", () => {});
    this.#stream.on("close", () => {
      this.#streamEnded = true;
      this.#report();
    });
  }

  get pid(): number {
    return this.#open.pid;
  }

  get slave(): string {
    return this.#open.slave;
  }

  write(bytes: Uint8Array): number {
    if (this.#stream.destroyed) return bytes.byteLength;
    try {
      return writeSync(this.#open.fd, bytes);
    } catch (error) {
      if (isErrno(error, "EAGAIN")) return 0;
      // Nobody reads this terminal any more: what is typed goes nowhere.
      return bytes.byteLength;
    }
  }

  resize(cols: number, rows: number): void {
    if (!this.#stream.destroyed) native.resize(this.#open.fd, cols, rows, 0, 0);
  }

  pause(): void {
    if (!this.#exit) this.#stream.pause();
  }

  resume(): void {
    if (!this.#stream.destroyed) this.#stream.resume();
  }

  async end(): Promise<void> {
    if (this.#reported) {
      await signalSession(this.pid, "SIGKILL");
      return;
    }
    // A stopped job must run to see the hang-up.
    await signalSession(this.pid, "SIGHUP");
    await signalSession(this.pid, "SIGCONT");
    const kill = setTimeout(() => void signalSession(this.pid, "SIGKILL"), limits.killGraceMs);
    await this.#ended.promise;
    clearTimeout(kill);
    await signalSession(this.pid, "SIGKILL");
  }

  handOver(): OpenPty | undefined {
    if (this.#reported) return undefined;
    // What was read was passed on at once: a pause holds nothing back here.
    this.#stream.pause();
    return this.#exit ? { ...this.#open, exit: this.#exit } : this.#open;
  }

  /** For who waits for the program: it has ended. */
  programEnded(exit: TerminalExit): void {
    this.#exit = exit;
    if (this.#streamEnded) {
      this.#report();
      return;
    }
    // What the program wrote last may still be unread, or held by a pause.
    this.#stream.resume();
    this.#awaitIdle();
    this.#drainTimer = setTimeout(() => this.#stream.destroy(), limits.drainMaxMs);
  }

  #awaitIdle(): void {
    const before = this.#readBytes;
    this.#idleTimer = setTimeout(() => {
      // A process that was held up runs its late timers before it reads: only a look at the terminal in between tells.
      setImmediate(() => {
        if (this.#readBytes === before) this.#stream.destroy();
        else if (!this.#reported) this.#awaitIdle();
      });
    }, limits.drainIdleMs);
  }

  #report(): void {
    if (!this.#exit || this.#reported) return;
    this.#reported = true;
    closeSync(this.#hold);
    clearTimeout(this.#idleTimer);
    clearTimeout(this.#drainTimer);
    this.#ended.resolve();
    this.#events.onExit(this.#exit);
  }
}
