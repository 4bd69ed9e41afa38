import { mkdir, readdir } from "node:fs/promises";
import { SerialQueue } from "@berth/base";
import { isErrno } from "@berth/base/node";
import type { AgentConfig, Environment, TerminalRecord, TerminalStatus } from "@berth/protocol";
import { type agentInterface, CallFailure, type Handlers } from "@berth/protocol/link";
import type { Static } from "typebox";
import { errorText, type Log } from "../log.ts";
import { guestPath, type Root, workingFolder } from "../root.ts";
import { forgetHooks, writeHookSettings } from "./attention/hooks.ts";
import { claudeCommand, prepareClaude } from "./claude.ts";
import { loginShell, terminalEnvironment } from "./environment.ts";
import type { PtyHostLink } from "./pty-host-link.ts";
import type { TerminalRegistry } from "./registry.ts";

type EnsureParams = Static<(typeof agentInterface.methods.ensureTerminal)["params"]>;

export interface TerminalsOptions {
  root: Root;
  ptyHost: Pick<PtyHostLink, "call" | "started" | "wanted">;
  registry: TerminalRegistry;
  log: Log;
  /** Where Claude's hooks say what it does. */
  hooksFolder: string;
  /** What a terminal's status is told with. */
  present(status: TerminalStatus): TerminalStatus;
  /** The configuration now: its environment may be replaced while the agent runs. */
  config(): AgentConfig;
}

/**
 * What the terminals of the sandbox run: made on the controller's word, and resumed after the container stopped. The
 * first of them is what the PTY host is started for.
 */
export class Terminals {
  readonly #options: TerminalsOptions;
  readonly #changes = new SerialQueue();

  constructor(options: TerminalsOptions) {
    this.#options = options;
  }

  /** The calls of `agentInterface` that are about terminals. */
  get handlers(): Omit<Handlers<typeof agentInterface>, "setEnvironment" | "activity"> {
    return {
      listTerminals: () => this.list(),
      ensureTerminal: async (params) => {
        // Not in the queue, where what brings a host in order waits, too.
        await this.#options.ptyHost.started();
        return this.#changes.run(() => this.#ensure(params));
      },
      removeTerminal: ({ id }) => this.#changes.run(() => this.#remove(id)),
      input: (params) => this.#call("input", params),
      resize: (params) => this.#call("resize", params),
      screen: (params) => this.#call("screen", params),
    };
  }

  /** All terminals. Where none are known there are none, and no PTY host is asked. */
  async list(): Promise<TerminalStatus[]> {
    if (!(await this.areKnown())) return [];
    return (await this.#options.ptyHost.call("list", {})).map((status) => this.#options.present(status));
  }

  /**
   * Whether there are terminals, running or ended. The registry has each before its host hears of it; and should the
   * registry be lost, the host has a folder for each on disk.
   */
  async areKnown(): Promise<boolean> {
    const { registry, root } = this.#options;
    return !registry.isEmpty || (await hasEntries(guestPath(root, "terminals")));
  }

  /**
   * Starts each conversation anew whose program was lost with its PTY host, under the same terminal id. Safe to repeat
   * and to race with another agent's start: an epoch begins once.
   */
  async resumeLost(): Promise<void> {
    const { ptyHost, registry, log } = this.#options;
    for (const status of await ptyHost.call("list", {})) {
      const record = registry.get(status.id);
      if (!status.lost || record?.kind !== "claude") continue;
      try {
        await this.#changes.run(() => this.#start(status.id, status.epoch + 1, record, status));
        log.info("a lost conversation is resumed", { terminalId: status.id, epoch: status.epoch + 1 });
      } catch (error) {
        log.error("a lost conversation could not be resumed", { terminalId: status.id, reason: errorText(error) });
      }
    }
  }

  /**
   * In a copy of a sandbox: takes away the terminals of that one, whose programs are not here. Conversations stay on
   * disk, for this sandbox's own to begin as copies of them.
   */
  async dropForeign(): Promise<void> {
    const { ptyHost, registry, log } = this.#options;
    if (!registry.isOfAnother) return;
    const left = ptyHost.wanted ? await ptyHost.call("list", {}) : [];
    for (const { id } of left) await ptyHost.call("remove", { id });
    await registry.clear();
    log.info("this is a copy of another sandbox: its terminals are taken away", { terminals: left.length });
  }

  async #ensure({ id, cols, rows, minEpoch = 1, ...asked }: EnsureParams): Promise<TerminalStatus> {
    const { ptyHost, registry } = this.#options;
    const known = (await ptyHost.call("list", {})).find((status) => status.id === id);
    if (known && known.epoch >= minEpoch) return known;
    if (known) await ptyHost.call("remove", { id });
    const record: TerminalRecord = { ...asked, env: asked.env ?? {} };
    await registry.set(id, record);
    return this.#start(id, minEpoch, record, { cols, rows });
  }

  async #remove(id: string): Promise<null> {
    if (await this.areKnown()) await this.#options.ptyHost.call("remove", { id });
    await this.#options.registry.delete(id);
    await forgetHooks(this.#options.hooksFolder, id);
    return null;
  }

  readonly #call: PtyHostLink["call"] = (name, params) => {
    const { ptyHost } = this.#options;
    if (ptyHost.wanted) return ptyHost.call(name, params);
    return Promise.reject(new CallFailure("not_found", "there is no such terminal"));
  };

  async #start(
    id: string,
    epoch: number,
    record: TerminalRecord,
    { cols, rows }: { cols: number; rows: number },
  ): Promise<TerminalStatus> {
    const { root, ptyHost, config } = this.#options;
    const cwd = workingFolder(root, record.cwd);
    const { env: sandbox, sandboxName } = config();
    const env = terminalEnvironment({ root, sandboxName, terminalId: id, sandbox, terminal: record.env });
    await mkdir(root.home, { recursive: true });
    await mkdir(guestPath(root, "workspace"), { recursive: true });
    const argv = await this.#command(id, record, env, cwd);
    return ptyHost.call("start", { id, epoch, argv, cwd, env, cols, rows });
  }

  async #command(id: string, record: TerminalRecord, env: Environment, cwd: string): Promise<string[]> {
    const { home } = this.#options.root;
    switch (record.kind) {
      case "claude": {
        await prepareClaude(home, env, cwd);
        const settingsPath = await writeHookSettings(this.#options.hooksFolder, id);
        return claudeCommand(home, env, { id: record.conversationId, forkOf: record.forkOf }, settingsPath);
      }
      case "shell":
        return [loginShell(), "-l"];
      case "exec": {
        if (!record.argv) throw new CallFailure("invalid_request", "a terminal of kind exec needs argv");
        return record.argv;
      }
    }
  }
}

async function hasEntries(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).length > 0;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}
