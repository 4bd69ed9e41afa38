import { SerialQueue } from "@berth/base";
import { BerthError, type TerminalStatus } from "@berth/protocol";
import { CallFailure } from "@berth/protocol/link";
import type { FastifyBaseLogger } from "fastify";
import type { AgentLink } from "../agents/link.ts";
import type { AgentRegistry } from "../agents/registry.ts";
import type { Sleepers } from "../sleep/waking.ts";
import type { TerminalRow, Terminals } from "./repository.ts";

export interface TerminalKeeperDependencies {
  terminals: Terminals;
  registry: AgentRegistry;
  sleepers: Pick<Sleepers, "awaken">;
  log: FastifyBaseLogger;
}

const freshTimeoutMs = 1_000;
/** Failures of the link rather than of the terminal: the agent comes back, and the terminal is made then. */
const passing: ReadonlySet<string> = new Set(["link_closed", "timeout", "too_many_calls"]);
/** What a shell exits with when a program cannot be started. */
const cannotStartCode = 127;
/** How often the rows follow what an agent tells of one terminal, in milliseconds: titles may change many times a second. */
const noteEveryMs = 500;

/** Keeps what the database says of terminals and what their agents have the same. */
export class TerminalKeeper {
  readonly #deps: TerminalKeeperDependencies;
  /** The last status that was told and is not yet written, by terminal; bounded by the terminals that rows know. */
  readonly #told = new Map<string, TerminalStatus>();
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #queues = new Map<string, SerialQueue>();
  readonly #ensuring = new Map<string, Promise<void>>();

  constructor(dependencies: TerminalKeeperDependencies) {
    this.#deps = dependencies;
  }

  /**
   * Makes a terminal in its sandbox, or finds that it is there. If the agent is cut off meanwhile, the next `reconcile`
   * does it; if it refuses, the terminal has exited. Never rejects.
   */
  ensure(row: TerminalRow): Promise<void> {
    const ensuring = this.#ensure(row).finally(() => this.#ensuring.delete(row.id));
    this.#ensuring.set(row.id, ensuring);
    return ensuring;
  }

  /** Resolves when a terminal that is being made is there, or is known not to come now. */
  async made(terminalId: string): Promise<void> {
    await this.#ensuring.get(terminalId);
  }

  /** A terminal's row with what its PTY host says of it at this moment, if it can be asked. */
  async fresh(row: TerminalRow): Promise<TerminalRow> {
    await this.made(row.id);
    const link = this.#deps.registry.get(row.sandbox_id);
    const statuses = await link?.call("listTerminals", {}, freshTimeoutMs).catch(() => undefined);
    const status = statuses?.find(({ id }) => id === row.id);
    return status ? this.#deps.terminals.note(row, status) : ((await this.#deps.terminals.find(row.id)) ?? row);
  }

  /** The link to the agent of a sandbox that is used, woken if it sleeps. Rejects with `sandbox_not_ready`. */
  async linkTo(sandboxId: string, signal?: AbortSignal): Promise<AgentLink> {
    await this.#deps.sleepers.awaken(sandboxId, signal ? { signal } : {});
    return this.#linkTo(sandboxId);
  }

  #linkTo(sandboxId: string): AgentLink {
    const link = this.#deps.registry.get(sandboxId);
    if (link) return link;
    throw new BerthError("sandbox_not_ready", "The sandbox's agent is not connected.", {
      hint: "Start the sandbox, or wait until its state is ready.",
    });
  }

  /**
   * An agent has come back: what it has is written down, what it lacks is made, and what was deleted meanwhile is
   * removed. A terminal that nobody here knows is left alone. Never rejects: without a database there is another
   * reconciliation when there is one again, since the controller begins anew then and the agents come back to it.
   */
  async reconcile(sandboxId: string, statuses: readonly TerminalStatus[]): Promise<void> {
    const there = new Map(statuses.map((status) => [status.id, status]));
    try {
      await this.#serial(sandboxId, async () => {
        for (const row of await this.#deps.terminals.ofSandbox(sandboxId)) {
          await this.#bringUpToDate(row, there.get(row.id));
        }
      });
    } catch (error) {
      this.#deps.log.warn({ sandboxId, err: error }, "the terminals of a sandbox could not be read");
    }
  }

  /** An agent tells how a terminal is. What comes faster than it can be written replaces what waits. */
  note(sandboxId: string, status: TerminalStatus): void {
    const waits = this.#told.has(status.id);
    this.#told.set(status.id, status);
    if (waits) return;
    const urgent = status.state === "exited";
    const timer = setTimeout(() => void this.#write(sandboxId, status.id), urgent ? 0 : noteEveryMs / 10);
    this.#timers.set(status.id, timer);
  }

  /** Removes a terminal in its sandbox, and then its row. */
  async remove(row: TerminalRow): Promise<void> {
    await this.made(row.id);
    // What cannot be removed now is removed when the agent comes back.
    if (this.#deps.registry.get(row.sandbox_id)) await this.#remove(row).catch(() => {});
  }

  /** Begins nothing more. */
  stop(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  async #ensure(row: TerminalRow): Promise<void> {
    try {
      const link = this.#linkTo(row.sandbox_id);
      const forkOf = row.conversation_id && (await this.#deps.terminals.originOf(row.conversation_id));
      const status = await link.call("ensureTerminal", {
        id: row.id,
        kind: row.kind,
        cols: row.cols,
        rows: row.rows,
        ...(row.argv ? { argv: row.argv } : {}),
        ...(row.cwd === null ? {} : { cwd: row.cwd }),
        ...(row.conversation_id === null ? {} : { conversationId: row.conversation_id }),
        ...(forkOf ? { forkOf } : {}),
        ...(row.epoch_floor > 1 ? { minEpoch: row.epoch_floor } : {}),
      });
      await this.#deps.terminals.note(row, status);
    } catch (error) {
      const { log, terminals } = this.#deps;
      log.warn({ sandboxId: row.sandbox_id, terminalId: row.id, err: error }, "a terminal could not be made");
      if (!(error instanceof CallFailure) || passing.has(error.code)) return;
      const status = {
        ...lostWithItsHost(row),
        exit: { code: cannotStartCode, signal: null },
        title: error.message.slice(0, 200),
      };
      await terminals.note(row, status).catch(() => {});
    }
  }

  async #bringUpToDate(row: TerminalRow, status: TerminalStatus | undefined): Promise<void> {
    const { terminals, log } = this.#deps;
    try {
      if (row.removed) await this.#remove(row);
      else if (status?.state === "running" && status.epoch < row.epoch_floor) await this.ensure(row);
      else if (status) await terminals.note(row, status);
      else if (row.state === "starting" || row.kind === "claude") await this.ensure(row);
      else if (row.state === "running") await terminals.note(row, lostWithItsHost(row));
    } catch (error) {
      const about = { sandboxId: row.sandbox_id, terminalId: row.id, err: error };
      log.warn(about, "a terminal could not be brought up to date");
    }
  }

  async #remove(row: TerminalRow): Promise<void> {
    await asBerthError(this.#linkTo(row.sandbox_id).call("removeTerminal", { id: row.id }));
    await this.#deps.terminals.erase(row.id);
  }

  async #write(sandboxId: string, terminalId: string): Promise<void> {
    const status = this.#told.get(terminalId);
    this.#told.delete(terminalId);
    this.#timers.delete(terminalId);
    if (!status) return;
    try {
      await this.#serial(sandboxId, async () => {
        const row = await this.#deps.terminals.find(terminalId);
        // An agent speaks for the terminals of its own sandbox only.
        if (row && row.sandbox_id === sandboxId) await this.#deps.terminals.note(row, status);
      });
    } catch (error) {
      this.#deps.log.warn({ sandboxId, terminalId, err: error }, "a terminal's state could not be written down");
    }
  }

  async #serial(sandboxId: string, work: () => Promise<void>): Promise<void> {
    const queue = this.#queues.get(sandboxId) ?? new SerialQueue();
    this.#queues.set(sandboxId, queue);
    try {
      await queue.run(work);
    } finally {
      if (queue.length === 0) this.#queues.delete(sandboxId);
    }
  }
}

/** The sandbox has lost a terminal that ran: its container was restored from an older state, for instance. */
function lostWithItsHost(row: TerminalRow): TerminalStatus {
  const { id, cols, rows, epoch, offset, title } = row;
  return { id, cols, rows, epoch, offset, title, state: "exited", exit: { code: null, signal: null }, lost: true };
}

/** What an agent answers, in the words of the outside contract. */
export async function asBerthError<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof CallFailure)) throw error;
    switch (error.code) {
      case "not_found":
        throw new BerthError("not_found", "The sandbox has no such terminal.", { cause: error });
      case "conflict":
        throw new BerthError("conflict", error.message, { cause: error });
      case "invalid_request":
        throw new BerthError("invalid_request", error.message, { cause: error });
      case "payload_too_large":
        throw new BerthError("payload_too_large", "The screen is larger than an answer may be.", { cause: error });
      case "limit_exceeded":
        throw new BerthError("limit_exceeded", error.message, { cause: error });
      default:
        throw new BerthError("sandbox_not_ready", `The sandbox's agent did not do it: ${error.message}.`, {
          hint: "Try again; restart the sandbox if it stays so.",
          cause: error,
        });
    }
  }
}
