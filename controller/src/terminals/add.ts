import { randomUUID } from "node:crypto";
import { BerthError, newId, type TerminalKind } from "@berth/protocol";
import type { EventLog } from "../events/log.ts";
import type { UnitOfWork } from "../http/context.ts";
import { presentTerminal, type TerminalRow } from "./repository.ts";

/** A terminal that somebody wants. */
export interface WantedTerminal {
  readonly ownerId: string;
  readonly sandboxId: string;
  readonly kind: TerminalKind;
  readonly argv?: string[];
  readonly cwd?: string;
  readonly cols?: number;
  readonly rows?: number;
  /** The conversation that a Claude goes on with. */
  readonly resume?: string;
}

const defaultSize = { cols: 120, rows: 32 };
/** How many terminals a sandbox may have, those that have ended included. */
export const maxPerSandbox = 100;

/**
 * Writes the row of a new terminal, and tells of it; the keeper then makes it. Throws `limit_exceeded`, and what a
 * conversation is refused with: `not_found`, `conflict`.
 */
export async function addTerminal(work: UnitOfWork, events: EventLog, wanted: WantedTerminal): Promise<TerminalRow> {
  const { trx } = work;
  const { count } = await trx
    .selectFrom("terminals")
    .select((eb) => eb.fn.countAll<number>().as("count"))
    .where("sandbox_id", "=", wanted.sandboxId)
    .executeTakeFirstOrThrow();
  if (Number(count) >= maxPerSandbox) {
    throw new BerthError("limit_exceeded", `A sandbox has at most ${maxPerSandbox} terminals.`, {
      hint: "Close some that have ended.",
    });
  }
  const row = await trx
    .insertInto("terminals")
    .values({
      id: newId("terminal"),
      state: "starting",
      owner_id: wanted.ownerId,
      sandbox_id: wanted.sandboxId,
      kind: wanted.kind,
      argv: wanted.argv ? JSON.stringify(wanted.argv) : null,
      cwd: wanted.cwd ?? null,
      cols: wanted.cols ?? defaultSize.cols,
      rows: wanted.rows ?? defaultSize.rows,
      conversation_id: await conversation(work, wanted),
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  await events.append(trx, {
    ownerId: row.owner_id,
    sandboxId: row.sandbox_id,
    type: "terminal",
    data: presentTerminal(row),
  });
  return row;
}

/** Every Claude has a session id that Berth gave it, so that its conversation can be found and resumed. */
async function conversation(
  { trx }: UnitOfWork,
  { kind, resume, ownerId, sandboxId }: WantedTerminal,
): Promise<string | null> {
  if (kind !== "claude") return null;
  if (!resume) {
    const id = randomUUID();
    await trx.insertInto("conversations").values({ id, owner_id: ownerId, sandbox_id: sandboxId }).execute();
    return id;
  }
  const known = await trx
    .selectFrom("conversations")
    .select("id")
    .where("id", "=", resume)
    .where("owner_id", "=", ownerId)
    .executeTakeFirst();
  if (!known) throw new BerthError("not_found", `There is no conversation ${resume}.`);
  // Claude does not lock a session: two that run one would spoil it.
  const live = await trx
    .selectFrom("terminals")
    .select("id")
    .where("conversation_id", "=", resume)
    .where("state", "in", ["starting", "running"])
    .where("removed", "=", false)
    .executeTakeFirst();
  if (live)
    throw new BerthError("conflict", `The terminal ${live.id} runs this conversation.`, {
      hint: "Attach to it, or close it first.",
    });
  return known.id;
}
