import { randomUUID } from "node:crypto";
import { newId } from "@berth/protocol";
import type { EventLog } from "../events/log.ts";
import type { UnitOfWork } from "../http/context.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import { presentTerminal } from "../terminals/repository.ts";

/**
 * Gives a copy of a sandbox conversations of its own, each of which begins as a copy of one of the source's, and a
 * terminal for each Claude that runs there, and tells of these. `before`: what has begun later is not on the disk that is copied.
 */
export async function copyConversations(
  { trx }: UnitOfWork,
  events: Pick<EventLog, "append">,
  source: SandboxRow,
  copy: SandboxRow,
  before: Date | undefined,
): Promise<void> {
  const conversations = await trx
    .selectFrom("conversations")
    .select("id")
    .where("sandbox_id", "=", source.id)
    .$if(before !== undefined, (query) => query.where("created_at", "<=", before ?? new Date(0)))
    .execute();
  if (conversations.length === 0) return;
  const ids = new Map(conversations.map(({ id }) => [id, randomUUID()]));
  const owned = { owner_id: copy.owner_id, sandbox_id: copy.id };
  await trx
    .insertInto("conversations")
    .values([...ids].map(([forked_from, id]) => ({ id, forked_from, ...owned })))
    .execute();
  const terminals = await trx
    .selectFrom("terminals")
    .selectAll()
    .where("sandbox_id", "=", source.id)
    .where("kind", "=", "claude")
    .where("state", "in", ["starting", "running"])
    .where("removed", "=", false)
    .where("conversation_id", "in", [...ids.keys()])
    .orderBy("created_at")
    .execute();
  if (terminals.length === 0) return;
  const rows = terminals.map(({ cwd, cols, rows, conversation_id }) => ({
    ...{ id: newId("terminal"), ...owned, kind: "claude" as const, state: "starting" as const },
    ...{ argv: null, cwd, cols, rows, conversation_id: ids.get(conversation_id ?? "") ?? null },
  }));
  for (const row of await trx.insertInto("terminals").values(rows).returningAll().execute()) {
    const { owner_id: ownerId, sandbox_id: sandboxId } = row;
    await events.append(trx, { ownerId, sandboxId, type: "terminal", data: presentTerminal(row) });
  }
}
