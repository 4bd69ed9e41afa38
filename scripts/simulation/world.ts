import type { AgentConfig } from "@berth/protocol";
import { linkLimits } from "@berth/protocol/link";
import { Random } from "@berth/testkit/random";
import { createLog, type Log } from "../../agent/src/log.ts";
import { limits } from "../../agent/src/pty-host/limits.ts";
import { AgentProcess } from "./agent.ts";
import { Browser } from "./browser.ts";
import { SimulatedStream } from "./byte-stream.ts";
import { ControllerProcess } from "./controller.ts";
import { SimulatedDisk } from "./disk.ts";
import { Network } from "./network.ts";
import type { SimulatedProcess } from "./process.ts";
import { PtyHostProcess } from "./pty-host.ts";
import { SimulatedTerminal } from "./terminal.ts";
import { SimulatedTime } from "./time.ts";
import { maxStreams } from "./typed.ts";
import { SimulatedWebSocket } from "./web-socket.ts";

/** How many of the events a failure tells: half of them the first, half the last. */
const keptNotes = 80;

/** More than any snapshot of these small screens has, in bytes. */
const maxSnapshotBytes = 24 * 1024;

/** A dial that has not been answered. */
interface Dial {
  readonly from: SimulatedProcess;
  answer(controller: ControllerProcess | undefined): void;
}

/**
 * Browsers, a controller, an agent and a PTY host in one process: the code is the real one, and time, network, disk and
 * programs are simulated. Nothing happens but what a schedule lets happen.
 */
export class World {
  readonly random: Random;
  readonly time = new SimulatedTime();
  readonly network: Network;
  readonly disk: SimulatedDisk;
  readonly log: Log;
  readonly terminals: SimulatedTerminal[];
  readonly browsers: Browser[] = [];
  readonly ringBytes: number = limits.ringBytes;
  /** Whether a program that was lost with its PTY host is started anew, as conversations are. */
  readonly resumes: boolean;
  readonly agentConfig = { sandboxId: `sbx_${"1".repeat(20)}` } as AgentConfig;
  ptyHostDeaths = 0;
  fault: Error | undefined;
  /** A window of each viewer, a snapshot of each, and what control there may be. */
  readonly #maxUnderWayBytes: number;
  /** Of each terminal the ring and a segment more, and its screen twice while it is replaced. */
  readonly #maxDiskBytes: number;
  #browsersMade = 0;
  readonly #dials: Dial[] = [];
  readonly #notes: string[] = [];
  #controller: ControllerProcess | undefined;
  #agent: AgentProcess | undefined;
  #ptyHost: PtyHostProcess | undefined;

  constructor(seed: number, terminals: number) {
    this.random = new Random(seed);
    this.network = new Network(this.random);
    this.disk = new SimulatedDisk(this.time, this.random);
    const viewers = terminals * maxStreams;
    this.#maxUnderWayBytes = viewers * (linkLimits.channelWindowBytes + limits.frameBytes + maxSnapshotBytes);
    this.#maxDiskBytes = terminals * (limits.ringBytes + 2 * limits.segmentBytes + 3 * maxSnapshotBytes);
    this.resumes = this.random.chance(0.7);
    this.terminals = Array.from({ length: terminals }, (_, index) => new SimulatedTerminal(`t${index}`));
    this.log = createLog("simulation", (line) => this.#logged(line));
  }

  /** Remembers what happened, for a failure to tell. */
  readonly note = (text: string): void => {
    this.#notes.push(`${this.time.now() - 1_000_000} ms: ${text}`);
    if (this.#notes.length > keptNotes) this.#notes.splice(keptNotes / 2, 1);
  };

  readonly failed = (error: unknown): void => {
    this.fault ??= error instanceof Error ? error : new Error(String(error));
  };

  get notes(): readonly string[] {
    return this.#notes;
  }

  get wantedTerminals(): { id: string; cols: number; rows: number }[] {
    return this.terminals.map(({ id }) => ({ id, cols: 40, rows: 6 }));
  }

  terminal(id: string): SimulatedTerminal {
    const terminal = this.terminals.find((each) => each.id === id);
    if (!terminal) throw new Error(`there is no terminal ${id}`);
    return terminal;
  }

  /** Starts a part, unless it runs; answers whether it did. */
  start(part: Part): boolean {
    if (this.#process(part)?.process.alive) return false;
    this.note(`${part} starts`);
    if (part === "controller") this.#controller = new ControllerProcess(this);
    else if (part === "agent") {
      this.#agent = new AgentProcess(this);
      this.#agent.start();
    } else this.#ptyHost = new PtyHostProcess(this);
    return true;
  }

  kill(part: Part): void {
    const process = this.#process(part);
    if (!process?.process.alive) return;
    this.note(`${part} is killed`);
    process.kill();
    this.disk.forget(process.process);
    if (part === "ptyHost") this.#ptyHostDied();
  }

  browse(terminal: SimulatedTerminal): Browser {
    const browser = new Browser(this, terminal, ++this.#browsersMade);
    this.browsers.push(browser);
    return browser;
  }

  /** A page is reloaded: what it had not sent is gone with it. */
  leave(browser: Browser): void {
    this.note(`${browser.process.name} is closed`);
    browser.leave();
    this.browsers.splice(this.browsers.indexOf(browser), 1);
  }

  dial(from: SimulatedProcess, answer: Dial["answer"]): void {
    this.#dials.push({ from, answer });
  }

  get pendingDials(): number {
    return this.#dials.length;
  }

  /** Answers one of those who dial the controller. */
  answerDial(): void {
    const [dial] = this.#dials.splice(this.random.integer(0, this.#dials.length - 1), 1);
    if (!dial?.from.alive) return;
    dial.from.run(() => dial.answer(this.#controller?.process.alive ? this.#controller : undefined));
  }

  /** For the agent, in place of a TLS connection. */
  dialController(): Promise<SimulatedWebSocket> {
    const agent = this.#agent;
    if (!agent) throw new Error("nobody dials");
    return new Promise((resolve, reject) => {
      this.dial(agent.process, (controller) => {
        if (!controller) {
          reject(new Error("connection refused"));
          return;
        }
        const { near, far } = SimulatedWebSocket.pair(this.network, agent.process, controller.process);
        controller.process.run(() => controller.acceptAgent(far));
        this.time.current = agent.process;
        resolve(near);
      });
    });
  }

  /** For the agent, in place of the PTY host's socket. */
  dialPtyHost(): SimulatedStream {
    const agent = this.#agent;
    if (!agent) throw new Error("nobody dials");
    return SimulatedStream.dial(this.network, agent.process, (join) => {
      const host = this.#ptyHost;
      if (!host?.serves) return false;
      const socket = join(host.process);
      host.process.run(() => host.accept(socket));
      this.time.current = agent.process;
      return true;
    });
  }

  /** Throws what went wrong, and where a bound does not hold. */
  check(): void {
    if (this.fault) throw this.fault;
    for (const { id, typed } of this.terminals) if (typed.fault) throw new Error(`input of ${id}: ${typed.fault}`);
    for (const endpoint of this.network.endpoints) {
      if (endpoint.inboxBytes > this.#maxUnderWayBytes)
        throw new Error(`${endpoint.inboxBytes} bytes are under way to ${endpoint.process.name}`);
    }
    if (this.disk.usedBytes > this.#maxDiskBytes) throw new Error(`${this.disk.usedBytes} bytes are on disk`);
  }

  describe(): string {
    return [
      ...this.browsers.map((browser) => browser.describe()),
      ...this.terminals.map(({ typed }) => typed.describe()),
    ].join("; ");
  }

  /** Every process ends. */
  end(): void {
    for (const part of parts) this.#process(part)?.kill();
    for (const browser of this.browsers) browser.process.kill();
  }

  #process(part: Part) {
    return { controller: this.#controller, agent: this.#agent, ptyHost: this.#ptyHost }[part];
  }

  /** Its programs have gone with it, and the count of what was typed. */
  #ptyHostDied(): void {
    this.ptyHostDeaths += 1;
    for (const terminal of this.terminals) terminal.lose(this.resumes);
  }

  #logged(line: string): void {
    this.note(line.trim());
    const isBroken = /broke the link's rules|could not be (served|read)/.test(line);
    const isDisk = line.includes("could not be written to disk");
    if (isBroken || (isDisk && !this.disk.wasFull)) this.failed(new Error(line));
  }
}

/** The processes that may be killed. */
export const parts = ["controller", "agent", "ptyHost"] as const;
export type Part = (typeof parts)[number];
