import { mkdir } from "node:fs/promises";
import { SerialQueue } from "@berth/base";
import type { AgentConfig, Environment, TerminalStatus } from "@berth/protocol";
import { type agentInterface, CallFailure, type Handlers } from "@berth/protocol/link";
import type { Static } from "typebox";
import { errorText, type Log } from "../log.ts";
import { guestPath, type Root, workingFolder } from "../root.ts";
import { claudeCommand, prepareClaude } from "./claude.ts";
import { loginShell, terminalEnvironment } from "./environment.ts";
import type { PtyHostLink } from "./pty-host-link.ts";
import type { TerminalRecord, TerminalRegistry } from "./registry.ts";

type EnsureParams = Static<(typeof agentInterface.methods.ensureTerminal)["params"]>;

export interface TerminalsOptions {
  root: Root;
  ptyHost: Pick<PtyHostLink, "call">;
  registry: TerminalRegistry;
  log: Log;
  /** The configuration now: its environment may be replaced while the agent runs. */
  config(): AgentConfig;
}

/** What the terminals of the sandbox run: made on the controller's word, and resumed after the container stopped. */
export class Terminals {
  readonly #options: TerminalsOptions;
  readonly #changes = new SerialQueue();

  constructor(options: TerminalsOptions) {
    this.#options = options;
  }

  /** The calls of `agentInterface` that are about terminals. */
  get handlers(): Omit<Handlers<typeof agentInterface>, "setEnvironment"> {
    const { ptyHost } = this.#options;
    return {
      listTerminals: () => ptyHost.call("list", {}),
      ensureTerminal: (params) => this.#changes.run(() => this.#ensure(params)),
      removeTerminal: ({ id }) => this.#changes.run(() => this.#remove(id)),
      input: (params) => ptyHost.call("input", params),
      resize: (params) => ptyHost.call("resize", params),
      screen: (params) => ptyHost.call("screen", params),
    };
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

  async #ensure({ id, cols, rows, ...asked }: EnsureParams): Promise<TerminalStatus> {
    const { ptyHost, registry } = this.#options;
    const known = (await ptyHost.call("list", {})).find((status) => status.id === id);
    if (known) return known;
    const record: TerminalRecord = { ...asked, env: asked.env ?? {} };
    await registry.set(id, record);
    return this.#start(id, 1, record, { cols, rows });
  }

  async #remove(id: string): Promise<null> {
    await this.#options.ptyHost.call("remove", { id });
    await this.#options.registry.delete(id);
    return null;
  }

  async #start(
    id: string,
    epoch: number,
    record: TerminalRecord,
    { cols, rows }: { cols: number; rows: number },
  ): Promise<TerminalStatus> {
    const { root, ptyHost, config } = this.#options;
    const cwd = workingFolder(root, record.cwd);
    const { env: sandbox, sandboxName } = config();
    const env = terminalEnvironment({ root, sandboxName, sandbox, terminal: record.env });
    await mkdir(root.home, { recursive: true });
    await mkdir(guestPath(root, "workspace"), { recursive: true });
    const argv = await this.#command(record, env, cwd);
    return ptyHost.call("start", { id, epoch, argv, cwd, env, cols, rows });
  }

  async #command(record: TerminalRecord, env: Environment, cwd: string): Promise<string[]> {
    const { home } = this.#options.root;
    switch (record.kind) {
      case "claude": {
        await prepareClaude(home, env, cwd);
        return claudeCommand(home, env, record.conversationId);
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
