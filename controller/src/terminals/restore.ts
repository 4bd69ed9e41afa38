import type { TerminalRecord } from "@berth/protocol";
import type { Insertable } from "kysely";
import type { EventLog } from "../events/log.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { TerminalsTable } from "../store/tables.ts";
import { maxPerSandbox } from "./add.ts";
import { presentTerminal } from "./repository.ts";

/** Of a terminal whose size is not known until its agent tells it. */
const size = { cols: 120, rows: 32 };

/**
 * Writes down the terminals that an adopted sandbox says that it has, with the conversations that its Claudes have, and
 * tells of them. Those that are there already stay, and what names somebody else's conversation is left out: it is the
 * sandbox's own word. How each of them is, the keeper learns from the agent when that comes back.
 */
export async function restoreTerminals(
  events: Pick<EventLog, "append" | "transaction">,
  { id: sandboxId, owner_id: ownerId }: Pick<SandboxRow, "id" | "owner_id">,
  records: ReadonlyMap<string, TerminalRecord>,
): Promise<void> {
  const kept = [...records].slice(0, maxPerSandbox);
  if (kept.length === 0) return;
  await events.transaction(async (trx) => {
    const named = kept.flatMap(([, { conversationId }]) => conversationId ?? []);
    const owned = { owner_id: ownerId, sandbox_id: sandboxId };
    if (named.length > 0) {
      await trx
        .insertInto("conversations")
        .values(named.map((id) => ({ id, ...owned })))
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    }
    const own = await trx
      .selectFrom("conversations")
      .select("id")
      .where("owner_id", "=", ownerId)
      .where("sandbox_id", "=", sandboxId)
      .execute();
    const mine = new Set(own.map(({ id }) => id));
    const values = kept.flatMap(([id, record]) => {
      const isClaude = record.kind === "claude";
      if (isClaude && !mine.has(record.conversationId ?? "")) return [];
      return [{ ...rowOf(id, record), ...owned, ...size, conversation_id: isClaude ? record.conversationId : null }];
    });
    if (values.length === 0) return;
    const rows = await trx
      .insertInto("terminals")
      .values(values)
      .onConflict((conflict) => conflict.doNothing())
      .returningAll()
      .execute();
    for (const row of rows)
      await events.append(trx, { ownerId, sandboxId, type: "terminal", data: presentTerminal(row) });
  });
}

/** Taken for one that runs: of one that does not, its agent says so, and of one that it does not know it is found out. */
function rowOf(
  id: string,
  { kind, argv, cwd }: TerminalRecord,
): Pick<Insertable<TerminalsTable>, "id" | "kind" | "argv" | "cwd" | "state"> {
  return { id, kind, argv: argv ? JSON.stringify(argv) : null, cwd: cwd ?? null, state: "running" };
}
