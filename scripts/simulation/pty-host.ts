import type { Log } from "../../agent/src/log.ts";
import { PtyHost } from "../../agent/src/pty-host/host.ts";
import type { PtyOptions } from "../../agent/src/pty-host/pty.ts";
import { serveConnection } from "../../agent/src/pty-host/server.ts";
import type { SimulatedStream } from "./byte-stream.ts";
import { SimulatedProcess } from "./process.ts";
import { SimulatedPty } from "./pty.ts";
import { EpochTruth } from "./truth.ts";
import type { World } from "./world.ts";

/** A PTY host's process: the real host over a simulated disk, with programs that the schedule plays. */
export class PtyHostProcess {
  readonly process: SimulatedProcess;
  readonly #host: PtyHost;
  readonly #log: Log;
  readonly #world: World;
  #serves = false;

  constructor(world: World) {
    this.#world = world;
    this.process = new SimulatedProcess("pty-host", world.time);
    this.#log = world.log;
    const spawn = (options: PtyOptions) => this.#spawn(options);
    this.#host = new PtyHost({ folder: "/terminals", spawn, log: world.log, bootId: "boot" });
    this.process.run(() => {
      this.#host.load().then(() => this.#loaded(), world.failed);
    });
  }

  /** It listens. */
  get serves(): boolean {
    return this.process.alive && this.#serves;
  }

  /** Serves a connection. */
  accept(socket: SimulatedStream): void {
    // biome-ignore lint/suspicious/noExplicitAny: stands in for a socket of node:net.
    serveConnection(this.#host, socket as any, this.#log);
  }

  kill(): void {
    this.process.kill();
  }

  #spawn(options: PtyOptions): SimulatedPty {
    const [id = "", epoch = ""] = options.argv;
    const terminal = this.#world.terminal(id);
    const pty = new SimulatedPty(options, new EpochTruth(Number(epoch), this.#offsetOf(id)), terminal.typed);
    terminal.begin(pty, this.process);
    return pty;
  }

  /** What the last host left is all that there is of terminals which are not resumed. */
  #loaded(): void {
    this.#serves = true;
    for (const terminal of this.#world.terminals) terminal.truth.keptOffset = this.#offsetOf(terminal.id);
  }

  #offsetOf(id: string): number {
    const statuses = this.#host.handlers.list({});
    if (statuses instanceof Promise) throw new Error("the list of terminals is there at once");
    return statuses.find((status) => status.id === id)?.offset ?? 0;
  }
}
