import { statfs } from "node:fs/promises";
import type { DoctorCheck } from "@berth/protocol";
import type { Kysely } from "kysely";
import { pendingMigrations } from "../store/migrate.ts";
import type { Database } from "../store/tables.ts";
import { fine, look, troubled } from "./check.ts";

/** Whether PostgreSQL answers and has the schema of this version. */
export function checkDatabase(db: Kysely<Database>): Promise<readonly DoctorCheck[]> {
  const subject = { id: "database", title: "Database" };
  return look(subject, async () => {
    const pending = await pendingMigrations(db);
    if (pending.length === 0) return fine(subject, "It answers, and has the schema of this version.");
    const detail = `It lacks the changes ${pending.join(", ")}.`;
    return troubled(subject, "failed", detail, "Start the controller again: it makes them.");
  });
}

const scarceBytes = 5 * 1024 ** 3;
const tooFewBytes = 512 * 1024 ** 2;

/** The room for the embedded servers, mirrors of git remotes and kept work. */
export function checkDataDir(dataDir: string): Promise<readonly DoctorCheck[]> {
  const subject = { id: "data-dir", title: "Data directory" };
  return look(subject, async () => {
    const { bavail, bsize } = await statfs(dataDir);
    const free = bavail * bsize;
    const detail = `${(free / 1024 ** 3).toFixed(1)} GiB are free at ${dataDir}.`;
    if (free >= scarceBytes) return fine(subject, detail);
    const state = free < tooFewBytes ? "failed" : "warning";
    return troubled(subject, state, detail, "Make room there, or move it: BERTH_DATA_DIR.");
  });
}
