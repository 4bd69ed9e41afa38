import { isDeepStrictEqual } from "node:util";
import { type Attention, BerthError, type Terminal, type TerminalExit, type TerminalStatus } from "@berth/protocol";
import { type Kysely, type Selectable, sql, type Transaction, type Updateable } from "kysely";
import type { EventLog } from "../events/log.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { Database, TerminalsTable } from "../store/tables.ts";

export type TerminalRow = Selectable<TerminalsTable>;

/** A terminal as the outside sees it. */
export function presentTerminal(row: TerminalRow): Terminal {
  return {
    id: row.id,
    sandboxId: row.sandbox_id,
    kind: row.kind,
    state: row.state,
    exit: row.exit,
    cols: row.cols,
    rows: row.rows,
    epoch: row.epoch,
    offset: row.offset,
    title: row.title,
    attention: row.attention,
    conversationId: row.conversation_id,
    argv: row.argv,
    cwd: row.cwd,
    createdAt: row.created_at.toISOString(),
  };
}

/** What a row takes over as its PTY host tells it. */
const told = ["state", "cols", "rows", "epoch", "offset", "title"] as const satisfies (keyof TerminalStatus)[];

/** What a row becomes when its PTY host tells how the terminal is. */
export function statusPatch(status: TerminalStatus): Updateable<TerminalsTable> {
  const { state, cols, rows, epoch, offset, title } = status;
  const exit = exitOf(status);
  return {
    state,
    cols,
    rows,
    epoch,
    offset,
    title,
    exit: exit && JSON.stringify(exit),
    attention: attentionOf(status),
  };
}

/** Nothing is going on in a terminal whose program has ended. */
function attentionOf({ state, attention }: TerminalStatus): Attention | null {
  return state === "running" ? (attention ?? null) : null;
}

/** A program that ended with its container has no exit of its own. */
function exitOf({ state, exit }: TerminalStatus): TerminalExit | null {
  return exit ?? (state === "exited" ? { code: null, signal: null } : null);
}

type OnAttention = (trx: Transaction<Database>, sandbox: SandboxRow, attention: Attention | null) => Promise<void>;

/** What most wants a person's eyes first. */
const foremostFirst = ["waiting", "error", "working", "idle"] as const satisfies Attention[];

/** Of what goes on in several places, what most wants a person's eyes. */
export function foremost(all: readonly (Attention | null)[]): Attention | null {
  return foremostFirst.find((attention) => all.includes(attention)) ?? null;
}

/** The terminals' rows, and the events that tell of their changes. */
export class Terminals {
  readonly #db: Kysely<Database>;
  readonly #events: EventLog;
  readonly #onAttention: OnAttention;

  /** `onAttention` writes down what Claude does in a sandbox, in the given transaction. */
  constructor(db: Kysely<Database>, events: EventLog, onAttention: OnAttention = async () => {}) {
    this.#db = db;
    this.#events = events;
    this.#onAttention = onAttention;
  }

  /** A terminal that has not been deleted. */
  find(id: string, db: Kysely<Database> = this.#db): Promise<TerminalRow | undefined> {
    return db.selectFrom("terminals").selectAll().where("id", "=", id).where("removed", "=", false).executeTakeFirst();
  }

  /** A user's own terminal; throws `not_found`. Within a transaction it takes that one's connection, not another. */
  async own(id: string, userId: string, db: Kysely<Database> = this.#db): Promise<TerminalRow> {
    const row = await this.find(id, db);
    if (row?.owner_id !== userId) throw new BerthError("not_found", `There is no terminal ${id}.`);
    return row;
  }

  /** All of a sandbox's, those included whose removal is still to be done there. */
  ofSandbox(sandboxId: string): Promise<TerminalRow[]> {
    return this.#db
      .selectFrom("terminals")
      .selectAll()
      .where("sandbox_id", "=", sandboxId)
      .orderBy("created_at")
      .execute();
  }

  /**
   * Writes down how a terminal is; answers the row as it is then. Only what people see as a change is an event: offsets
   * and titles change all the time. What changes nothing costs nothing: a thousand agents may come back at once.
   */
  async note(row: TerminalRow, status: TerminalStatus): Promise<TerminalRow> {
    if (isWritten(row, status)) return row;
    if (!isTold(row, status)) return (await updated(this.#db, row, status)) ?? row;
    return this.#events.transaction(async (trx) => {
      const changed = await updated(trx, row, status);
      if (!changed) return row;
      await this.#events.append(trx, {
        ownerId: changed.owner_id,
        sandboxId: changed.sandbox_id,
        type: "terminal",
        data: presentTerminal(changed),
      });
      if (changed.attention !== row.attention) await this.#noteAttention(trx, changed.sandbox_id);
      return changed;
    });
  }

  /** The conversation that one begins as a copy of. */
  async originOf(conversationId: string): Promise<string | undefined> {
    const row = await this.#db
      .selectFrom("conversations")
      .select("forked_from")
      .where("id", "=", conversationId)
      .executeTakeFirst();
    return row?.forked_from ?? undefined;
  }

  /**
   * A sandbox's disk was put back to an earlier state: what its terminals are from now on is none of the epochs that
   * viewers know, whose bytes were others.
   */
  async rolledBack(sandboxId: string): Promise<void> {
    await this.#db
      .updateTable("terminals")
      .set({ epoch_floor: sql`greatest(epoch_floor, epoch + 1)`, epoch: 1 })
      .where("sandbox_id", "=", sandboxId)
      .where("kind", "=", "claude")
      .execute();
  }

  /** A sandbox shows of what goes on in its terminals what most wants a person's eyes. */
  async #noteAttention(trx: Transaction<Database>, sandboxId: string): Promise<void> {
    const sandbox = await trx
      .selectFrom("sandboxes")
      .selectAll()
      .where("id", "=", sandboxId)
      .forUpdate()
      .executeTakeFirst();
    if (!sandbox) return;
    const rows = await trx.selectFrom("terminals").select("attention").where("sandbox_id", "=", sandboxId).execute();
    const attention = foremost(rows.map((row) => row.attention));
    if (attention !== sandbox.attention) await this.#onAttention(trx, sandbox, attention);
  }

  /** Forgets a terminal that is gone from its sandbox. */
  async erase(id: string): Promise<void> {
    await this.#db.deleteFrom("terminals").where("id", "=", id).execute();
  }
}

/** Whether a row says all of a status already. */
function isWritten(row: TerminalRow, status: TerminalStatus): boolean {
  return (
    told.every((column) => row[column] === status[column]) &&
    isDeepStrictEqual(row.exit, exitOf(status)) &&
    row.attention === attentionOf(status)
  );
}

/** Whether a status is news to people. */
function isTold(row: TerminalRow, status: TerminalStatus): boolean {
  const { state, epoch, title } = status;
  return state !== row.state || epoch !== row.epoch || title !== row.title || row.attention !== attentionOf(status);
}

/** The row with a status, unless it is of a later epoch. */
function updated(db: Kysely<Database>, { id }: TerminalRow, status: TerminalStatus): Promise<TerminalRow | undefined> {
  return db
    .updateTable("terminals")
    .set(statusPatch(status))
    .where("id", "=", id)
    .where("epoch", "<=", status.epoch)
    .returningAll()
    .executeTakeFirst();
}
