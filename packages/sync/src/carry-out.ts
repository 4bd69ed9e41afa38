import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { prepareDestination } from "./destination.ts";
import { boundsOf, limitOf } from "./first-run.ts";
import type { Memory } from "./memory.ts";
import type { Run } from "./order.ts";
import type { PlannedChange } from "./plan.ts";
import { bytesOf, type RawPath } from "./raw-path.ts";
import { backupId } from "./retention.ts";
import { runRsync, writingOptions } from "./rsync.ts";
import { ownFolder } from "./side.ts";

/**
 * Does what was planned; answers the backup's name, or null where nothing was replaced or deleted. What is written was
 * looked at a moment ago: should it have changed since, the change is in the backup.
 */
export async function carryOut(run: Run, plan: readonly PlannedChange[], memory: Memory): Promise<string | null> {
  const goes = plan.filter(({ decision }) => decision.kind === "go");
  const deleted = plan.filter(({ decision }) => decision.kind === "delete");
  const backup = backupId(run.now());
  if (goes.length === 0 && deleted.length === 0) {
    // What a run left that was cut may not wait until something has to be written again.
    if (memory.unfinished.has(run.direction)) await prepareDestination(run, backup);
    return null;
  }
  await noteIntent(run, goes, memory);
  await prepareDestination(run, backup);
  await remove(run, deleted, backup);
  await keepBoth(run, goes);
  if (goes.length > 0) await transfer(run, goes, backup);
  const replaced = deleted.length > 0 || goes.some(({ destination }) => destination !== undefined);
  return replaced ? backup : null;
}

/** Written before anything is: a run that is killed may have done any of it. */
async function noteIntent({ direction }: Run, goes: readonly PlannedChange[], memory: Memory): Promise<void> {
  memory.settled = undefined;
  memory.unfinished.add(direction);
  for (const { path, source, destination } of goes) {
    // What is replaced was left by a sync, or somebody has decided so: also by one that was cut before this one.
    const agreed = destination ? { agreed: destination } : {};
    if (source) memory.set(path, { ...agreed, maybe: { state: source, direction } });
  }
  await memory.save();
}

async function remove(run: Run, deleted: readonly PlannedChange[], backup: string): Promise<void> {
  const folders = deleted.filter(({ destination }) => destination?.type === "folder").map(({ path }) => path);
  const others = deleted.filter(({ destination }) => destination?.type !== "folder").map(({ path }) => path);
  await run.destination.setAside(others, backup);
  await run.destination.removeFolders(folders);
}

/** The destination's own version gets another name, and the source's takes its place. */
async function keepBoth(run: Run, goes: readonly PlannedChange[]): Promise<void> {
  const isClash = ({ source, destination }: PlannedChange) =>
    destination !== undefined && (source?.type === "folder") !== (destination.type === "folder");
  const both = goes.filter((change) => run.resolutions?.get(change.path) === "both" || isClash(change));
  const date = backupId(run.now());
  await run.destination.rename(
    both.filter(({ destination }) => destination).map(({ path }) => [path, conflictName(path, date)] as const),
  );
}

/** `report.conflict-20260101T120000Z-000.txt`: the ending stays, so that programs still know what it is. */
export function conflictName(path: RawPath, date: string): RawPath {
  const slash = path.lastIndexOf("/");
  const name = path.slice(slash + 1);
  const dot = name.lastIndexOf(".");
  const [stem, ending] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ""];
  const mark = `.conflict-${date}`;
  // A name has at most 255 bytes.
  const fitting = stem.slice(0, Math.max(1, 255 - mark.length - ending.length));
  return `${path.slice(0, slash + 1)}${fitting}${mark}${ending}`.slice(0, slash + 1 + 255);
}

async function transfer(run: Run, goes: readonly PlannedChange[], backup: string): Promise<void> {
  run.onPhase?.("transfer");
  const list = join(run.workFolder, "files");
  // Behind a dot, so that no name is taken for anything else.
  await writeFile(list, bytesOf(goes.map(({ path }) => `./${path}\0`).join("")), { mode: 0o600 });
  const toHost = run.direction === "pull";
  const backupFolder = toHost ? run.host.backupFolder(backup) : `${ownFolder}/backups/${backup}`;
  const { code, complaints } = await runRsync(run.places, {
    options: [
      "--no-recursive",
      "--dirs",
      `--files-from=${list}`,
      "-i",
      "--backup",
      `--backup-dir=${backupFolder}`,
      ...writingOptions,
      ...limitOf(run),
    ],
    signal: run.signal,
    ...boundsOf(run),
    ...(run.onProgress ? { onProgress: run.onProgress } : {}),
  });
  if (code !== 0) run.onNote?.(complaints.trim().slice(-2000));
}
