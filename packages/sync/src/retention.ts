import type { BackupFacts, BackupRetention } from "./side.ts";

/** The name of a backup that begins now: an instant in UTC, so that names sort by age; with milliseconds behind it. */
export function backupId(nowMs: number): string {
  return new Date(nowMs)
    .toISOString()
    .replaceAll(/[-:]/g, "")
    .replace(/\.(\d+)Z$/, "Z-$1");
}

/** Whether a text is the name of a backup. */
export function isBackupId(text: string): boolean {
  return /^\d{8}T\d{6}Z-\d{3}$/.test(text);
}

/** The backups that are too old, or too much together with those that are newer. The newest stays in any case. */
export function surplusBackups(
  backups: readonly BackupFacts[],
  { days, bytes }: BackupRetention,
  nowMs: number,
): string[] {
  const oldest = backupId(nowMs - days * 86_400_000);
  let total = 0;
  return backups
    .filter(({ id }) => isBackupId(id))
    .sort((one, other) => (one.id < other.id ? 1 : -1))
    .filter((backup, place) => {
      total += backup.bytes;
      return place > 0 && (backup.id < oldest || total > bytes);
    })
    .map(({ id }) => id);
}
