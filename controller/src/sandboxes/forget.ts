import type { EventLog } from "../events/log.ts";
import type { OperationJournal } from "../operations/journal.ts";
import type { SandboxRow } from "./record.ts";

export interface ForgetDependencies {
  events: EventLog;
  journal: OperationJournal;
}

/**
 * Erases what the database has of a sandbox whose container is gone, in one transaction with the end of the operation
 * that destroyed it. What stays: the operation with its events until they age out, the audit, and conversations.
 */
export async function forgetSandbox({ events, journal }: ForgetDependencies, row: SandboxRow): Promise<void> {
  await events.transaction(async (trx) => {
    const operation = await journal.current(row.id, trx);
    if (operation) await journal.succeedIn(trx, operation);
    await trx.updateTable("conversations").set({ sandbox_id: null }).where("sandbox_id", "=", row.id).execute();
    await trx.deleteFrom("claims").where("sandbox_id", "=", row.id).execute();
    await trx.deleteFrom("sandboxes").where("id", "=", row.id).execute();
    await trx
      .insertInto("audit")
      .values({
        user_id: row.owner_id,
        action: "sandbox.gone",
        subject: row.id,
        detail: JSON.stringify({ name: row.name }),
      })
      .execute();
    await events.append(trx, {
      ownerId: row.owner_id,
      sandboxId: row.id,
      type: "deleted",
      data: { kind: "sandbox", id: row.id },
    });
  });
}
