import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { SerialQueue } from "@berth/base";
import { makePrivateDirectory } from "@berth/base/node";
import { attachParamsSchema, BerthError, screenWaitParamsSchema, type TerminalStatus } from "@berth/protocol";
import {
  type Channel,
  type Handlers,
  type ptyHostInterface,
  recordingChannelKind,
  screenWaitChannelKind,
  terminalChannelKind,
} from "@berth/protocol/link";
import type { Static } from "typebox";
import { Value } from "typebox/value";
import { errorText, type Log } from "../log.ts";
import { agentVersion } from "../version.ts";
import { AwakeScreens } from "./awake-screens.ts";
import { type HandedTerminal, HandoverRefused, holdOpen } from "./handover.ts";
import { limits } from "./limits.ts";
import type { AdoptPty, SpawnPty } from "./pty.ts";
import { Recordings } from "./recording/recordings.ts";
import { TerminalStore } from "./store.ts";
import { Terminal, type TerminalOptions } from "./terminal.ts";
import { Typists } from "./typists.ts";

type StartParams = Static<(typeof ptyHostInterface.methods.start)["params"]>;

export interface PtyHostOptions {
  /** The folder that has a folder a terminal. */
  folder: string;
  spawn: SpawnPty;
  log: Log;
  /** The container's present boot. */
  bootId: string;
  /** How one version follows another in the same process; absent where that is not wanted. */
  succession?: Succession;
  /** The file that keeps what `configure` told; without it that is forgotten. */
  settingsFile?: string;
  /** A screen model was given up, which took about so many bytes. */
  onRest?: (garbageBytes: number) => void;
}

/** How another version of the host takes over. */
export interface Succession {
  adopt: AdoptPty;
  /** Lets another program take over, once the call is answered. Rejects with `HandoverRefused` if that program cannot. */
  begin(program: string): Promise<void>;
}

/** All terminals of a sandbox. Knows no socket: connections bring calls and channels, and listen for changes. */
export class PtyHost {
  readonly #options: PtyHostOptions;
  readonly #terminals = new Map<string, Terminal>();
  readonly #queues = new Map<string, SerialQueue>();
  readonly #typists = new Typists();
  readonly #awake: AwakeScreens;
  readonly #listeners = new Set<(status: TerminalStatus) => void>();
  readonly #recordings: Recordings;

  constructor(options: PtyHostOptions) {
    this.#options = options;
    this.#awake = new AwakeScreens(options.onRest);
    this.#recordings = new Recordings({ ...options, terminals: this.#terminals });
  }

  /** Finds what an earlier host left; its programs have ended with it, but for those that it handed over. */
  async load(handed: readonly HandedTerminal[] = []): Promise<void> {
    await makePrivateDirectory(this.#options.folder);
    await this.#recordings.load();
    for (const id of await readdir(this.#options.folder)) {
      try {
        const own = handed.find((terminal) => terminal.id === id);
        const terminal = await Terminal.find(this.#terminalOptions(id), own);
        if (terminal?.id === id) this.#terminals.set(id, terminal);
      } catch (error) {
        this.#options.log.error("a terminal could not be read from disk", { terminalId: id, reason: errorText(error) });
      }
    }
    await this.#recordings.begin();
  }

  /** The calls of `ptyHostInterface`. */
  readonly handlers: Handlers<typeof ptyHostInterface> = {
    list: () => [...this.#terminals.values()].map((terminal) => terminal.status),
    start: (params) => this.#inOrder(params.id, () => this.#start(params)),
    remove: ({ id }) => this.#inOrder(id, () => this.#remove(id)),
    input: ({ id, ...typing }) => this.#find(id).type(typing),
    resize: ({ id, cols, rows }) => this.#find(id).resize({ cols, rows }),
    screen: ({ id }) => this.#find(id).screen(),
    version: () => agentVersion(),
    handOver: async ({ program }) => {
      const { succession } = this.#options;
      if (!succession) throw new BerthError("conflict", "this host cannot be replaced");
      await succession.begin(program).catch((error: unknown) => {
        throw error instanceof HandoverRefused ? new BerthError("conflict", error.message, { cause: error }) : error;
      });
      return null;
    },
    configure: async ({ recording }) => {
      await this.#recordings.configure(recording);
      return null;
    },
  };

  /** Serves a channel that a peer opened. */
  open(channel: Channel, kind: string, params: unknown): void {
    if (kind === terminalChannelKind && Value.Check(attachParamsSchema, params)) {
      this.#serve(channel, params.terminalId, (terminal) => terminal.attach(channel, params));
    } else if (kind === screenWaitChannelKind && Value.Check(screenWaitParamsSchema, params)) {
      this.#serve(channel, params.terminalId, async (terminal) => {
        if (this.#waits < limits.maxWaits) return terminal.waits.open(channel, params);
        channel.close({ code: "limit_exceeded", detail: "too many calls wait for terminals of this sandbox" });
      });
    } else if (kind === recordingChannelKind) {
      this.#recordings.open(channel, params);
    } else {
      channel.close({ code: "invalid_request", detail: "no such kind of channel, or parameters that are not valid" });
    }
  }

  /** Hears of every change of a terminal; answers how to stop. */
  onChange(listener: (status: TerminalStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Ends all programs, and brings everything to disk. */
  async end(): Promise<void> {
    this.#recordings.end();
    await Promise.all([...this.#terminals.values()].map((terminal) => terminal.end()));
  }

  /**
   * Makes ready for another program to take over, and hands it over by a call in the turn in which what is said of the
   * terminals is true. If that throws, everything goes on here. Nobody may be served meanwhile.
   */
  async handOver(become: (terminals: readonly HandedTerminal[]) => never): Promise<never> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.run(async () => {})));
    const terminals = [...this.#terminals.values()];
    try {
      const slaves = await Promise.all(terminals.map((terminal) => terminal.suspend()));
      await holdOpen(slaves.filter((slave) => slave !== undefined));
      return become(terminals.map((terminal) => terminal.handOver()).filter((handed) => handed !== undefined));
    } catch (error) {
      for (const terminal of terminals) terminal.resume();
      throw error;
    }
  }

  /** Calls that wait for a screen. */
  get #waits(): number {
    let count = 0;
    for (const terminal of this.#terminals.values()) count += terminal.waits.size;
    return count;
  }

  #serve(channel: Channel, terminalId: string, service: (terminal: Terminal) => Promise<void>): void {
    const terminal = this.#terminals.get(terminalId);
    if (!terminal) {
      channel.close({ code: "not_found", detail: "there is no such terminal" });
      return;
    }
    service(terminal).catch((error: unknown) => {
      this.#options.log.error("a channel could not be served", { terminalId, reason: errorText(error) });
      channel.close({ code: "internal", detail: "the terminal could not be shown" });
    });
  }

  async #start(params: StartParams): Promise<TerminalStatus> {
    const { id, epoch, ...program } = params;
    const known = this.#terminals.get(id);
    if (!known) {
      if (this.#terminals.size >= limits.maxTerminals) throw new BerthError("limit_exceeded", "too many terminals");
      const terminal = await Terminal.create(id, epoch, program, this.#terminalOptions(id));
      this.#terminals.set(id, terminal);
      return terminal.status;
    }
    if (epoch === known.epoch + 1) await known.restart(epoch, program);
    else if (epoch !== known.epoch) throw new BerthError("conflict", `the terminal is in epoch ${known.epoch}`);
    return known.status;
  }

  async #remove(id: string): Promise<null> {
    await this.#terminals.get(id)?.remove();
    this.#terminals.delete(id);
    return null;
  }

  #find(id: string): Terminal {
    const terminal = this.#terminals.get(id);
    if (!terminal) throw new BerthError("not_found", "there is no such terminal");
    return terminal;
  }

  /** One start or removal of a terminal after the other. */
  async #inOrder<T>(id: string, task: () => Promise<T>): Promise<T> {
    const queue = this.#queues.get(id) ?? new SerialQueue();
    this.#queues.set(id, queue);
    try {
      return await queue.run(task);
    } finally {
      if (queue.length === 0) this.#queues.delete(id);
    }
  }

  #terminalOptions(id: string): TerminalOptions {
    const { spawn, succession, log, folder, bootId } = this.#options;
    const onChange = (status: TerminalStatus) => {
      for (const listener of this.#listeners) listener(status);
    };
    const { shelf } = this.#recordings;
    const store = new TerminalStore(join(folder, id));
    return {
      store,
      shelf,
      spawn,
      adopt: succession?.adopt,
      log,
      bootId,
      typists: this.#typists,
      awake: this.#awake,
      onChange,
    };
  }
}
