import { listSyncBackupFiles, listSyncBackups, restoreSyncBackup, type SyncBackup } from "@berth/protocol";
import { Argument, type Command } from "commander";
import { notFound } from "../failure.ts";
import { argument } from "../options.ts";
import { harmless } from "../output/style.ts";
import type { Session } from "../session.ts";

/** A backup's name, optional or not. */
export function backupArgument(name: "<backup>" | "[backup]"): Argument {
  return new Argument(name, "the instant of a backup, as the list has it");
}

/** `berth folder backups`: all backups of a workspace and its folder, or the files of one. */
export async function showBackups(session: Session, command: Command): Promise<undefined> {
  const { output, signal } = session;
  const id = argument(command, 0);
  const wanted = command.args[1];
  if (wanted === undefined) {
    const { items } = await (await session.client()).call(listSyncBackups, { params: { id } }, { signal });
    const rows = items.map(({ id, side, files, bytes }) => [id, side, `${files}`, `${bytes}`]);
    output.result({ items }, () => output.table(["BACKUP", "SIDE", "FILES", "BYTES"], rows));
    return undefined;
  }
  const { side } = await backupOf(session, id, wanted);
  const input = { params: { id, backup: wanted }, query: { side, limit: 10_000 } };
  const found = await (await session.client()).call(listSyncBackupFiles, input, { signal });
  output.result({ side, ...found }, () => found.items.map(({ path }) => `${harmless(path)}\n`).join(""));
  if (found.truncated) output.note("There are more files than are listed.");
  return undefined;
}

/** `berth folder restore`. */
export async function doRestore(session: Session, command: Command): Promise<undefined> {
  const { output, signal } = session;
  const [id, backup, path] = [argument(command, 0), argument(command, 1), argument(command, 2)];
  const { side } = await backupOf(session, id, backup);
  const client = await session.client();
  const restored = await client.call(restoreSyncBackup, { params: { id, backup }, body: { side, path } }, { signal });
  const where = side === "host" ? "the folder" : "the workspace";
  output.result({ side, ...restored }, () => `${harmless(path)} is back in ${where}\n`);
  return undefined;
}

/** A backup is on the one side where it was made. */
async function backupOf(session: Session, id: string, wanted: string): Promise<SyncBackup> {
  const { items } = await (await session.client()).call(
    listSyncBackups,
    { params: { id } },
    { signal: session.signal },
  );
  const found = items.find((backup) => backup.id === wanted);
  if (!found) throw notFound(`There is no backup ${wanted}.`, `See berth folder backups ${id}.`);
  return found;
}
