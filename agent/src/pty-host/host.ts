import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { SerialQueue } from "@berth/base";
import { makePrivateDirectory } from "@berth/base/node";
import { attachParamsSchema, BerthError, type TerminalStatus } from "@berth/protocol";
import { type Channel, type Handlers, type ptyHostInterface, terminalChannelKind } from "@berth/protocol/link";
import type { Static } from "typebox";
import { Value } from "typebox/value";
import { errorText, type Log } from "../log.ts";
import { limits } from "./limits.ts";
import type { SpawnPty } from "./pty.ts";
import { TerminalStore } from "./store.ts";
import { Terminal, type TerminalOptions } from "./terminal.ts";

type StartParams = Static<(typeof ptyHostInterface.methods.start)["params"]>;

export interface PtyHostOptions {
  /** The folder that has a folder a terminal. */
  folder: string;
  spawn: SpawnPty;
  log: Log;
  /** The container's present boot. */
  bootId: string;
}

/** All terminals of a sandbox. Knows no socket: connections bring calls and channels, and listen for changes. */
export class PtyHost {
  readonly #options: PtyHostOptions;
  readonly #terminals = new Map<string, Terminal>();
  readonly #queues = new Map<string, SerialQueue>();
  readonly #listeners = new Set<(status: TerminalStatus) => void>();

  constructor(options: PtyHostOptions) {
    this.#options = options;
  }

  /** Finds what an earlier host left; its programs have ended with it. */
  async load(): Promise<void> {
    await makePrivateDirectory(this.#options.folder);
    for (const id of await readdir(this.#options.folder)) {
      try {
        const terminal = await Terminal.find(this.#terminalOptions(id));
        if (terminal?.id === id) this.#terminals.set(id, terminal);
      } catch (error) {
        this.#options.log.error("a terminal could not be read from disk", { terminalId: id, reason: errorText(error) });
      }
    }
  }

  /** The calls of `ptyHostInterface`. */
  readonly handlers: Handlers<typeof ptyHostInterface> = {
    list: () => [...this.#terminals.values()].map((terminal) => terminal.status),
    start: (params) => this.#inOrder(params.id, () => this.#start(params)),
    remove: ({ id }) => this.#inOrder(id, () => this.#remove(id)),
    input: async ({ id, ...typing }) => {
      await this.#find(id).type(typing);
      return null;
    },
    resize: ({ id, cols, rows }) => this.#find(id).resize({ cols, rows }),
    screen: ({ id }) => this.#find(id).screen(),
  };

  /** Serves a channel that a peer opened. */
  open(channel: Channel, kind: string, params: unknown): void {
    if (kind !== terminalChannelKind || !Value.Check(attachParamsSchema, params)) {
      channel.close({ code: "invalid_request", detail: "no such kind of channel, or parameters that are not valid" });
      return;
    }
    const terminal = this.#terminals.get(params.terminalId);
    if (!terminal) {
      channel.close({ code: "not_found", detail: "there is no such terminal" });
      return;
    }
    terminal.attach(channel, params).catch((error: unknown) => {
      this.#options.log.error("a viewer could not be served", { terminalId: terminal.id, reason: errorText(error) });
      channel.close({ code: "internal", detail: "the terminal could not be shown" });
    });
  }

  /** Hears of every change of a terminal; answers how to stop. */
  onChange(listener: (status: TerminalStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Ends all programs, and brings everything to disk. */
  async end(): Promise<void> {
    await Promise.all([...this.#terminals.values()].map((terminal) => terminal.end()));
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
    const { spawn, log, folder, bootId } = this.#options;
    const onChange = (status: TerminalStatus) => {
      for (const listener of this.#listeners) listener(status);
    };
    return { store: new TerminalStore(join(folder, id)), spawn, log, bootId, onChange };
  }
}
