import type { Transaction } from "kysely";
import type { Database } from "../store/tables.ts";

/** What is written down for good: who did what to what. */
export type AuditAction =
  | "setup.link"
  | "setup.done"
  | "password.setting"
  | "login"
  | "login.refused"
  | "logout"
  | "token.made"
  | "token.revoked"
  | "key.added"
  | "key.removed"
  | "share.made"
  | "share.opened"
  | "share.revoked"
  | "proxmox.saved"
  | "proxmox.forgotten";

/** Writes an audit row in the caller's transaction. The detail holds no secret. */
export async function audit(
  trx: Transaction<Database>,
  userId: string | null,
  action: AuditAction,
  subject: string,
  detail: Readonly<Record<string, string | number | boolean | null>> = {},
): Promise<void> {
  await trx
    .insertInto("audit")
    .values({ user_id: userId, action, subject, detail: JSON.stringify(detail) })
    .execute();
}
