import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { carryOut } from "./carry-out.ts";
import { shareConnection } from "./connection.ts";
import { SyncFailure } from "./failure.ts";
import { writeFilterFile } from "./filter/filter-file.ts";
import { firstRun } from "./first-run.ts";
import { isFolderThere, LocalSide } from "./local-side.ts";
import { Memory } from "./memory.ts";
import type { Run, SyncOrder } from "./order.ts";
import { makePlan, type PlannedChange } from "./plan.ts";
import { remember } from "./remember.ts";
import { RemoteSide } from "./remote-side.ts";
import { type ReportedChange, reported, reportOf, type SyncReport, skippedOf } from "./report.ts";
import { runRsync } from "./rsync.ts";

/**
 * Brings the changes of one folder to the other, with the real rsync. What was changed at the destination stays, and what
 * was changed at both is a conflict that somebody has to decide; what is replaced or deleted goes to a backup. May be
 * killed at any point: the next run goes on. There must be one at a time for a pair of folders. Rejects with a
 * `SyncFailure`, or with the signal's reason.
 */
export async function sync(order: SyncOrder): Promise<SyncReport> {
  if (!(await isFolderThere(order.hostFolder))) {
    throw new SyncFailure("missing_folder", `There is no folder ${order.hostFolder} on the host.`, {
      hint: "Make it, or name another one.",
    });
  }
  const workFolder = await mkdtemp(join(order.scratch ?? tmpdir(), "berth-sync-"));
  const { direction, hostFolder, filter: options, signal } = order;
  // It signs in while the host's ignore files are looked for.
  const connection = order.multiplex ? shareConnection(order.sandbox, workFolder, signal) : undefined;
  const reached = async () => (await connection)?.folder ?? order.sandbox;
  try {
    const host = new LocalSide({ root: hostFolder, backups: order.backups });
    const filtered = { direction, host, hostFolder, reached, workFolder, options, signal };
    const filterFile = await writeFilterFile(filtered);
    const sandbox = await reached();
    const guest = new RemoteSide(sandbox, signal);
    const [source, destination] = direction === "push" ? [host, guest] : [guest, host];
    const places = { direction, hostFolder, sandbox, filterFile, ...(order.owner ? { owner: order.owner } : {}) };
    const run = { ...order, workFolder, places, host, source, destination };
    let inOrder = false;
    try {
      const report = await work(run);
      inOrder = true;
      return report;
    } finally {
      if (!order.dryRun) await tidy(run, inOrder);
    }
  } finally {
    await (await connection)?.close();
    await rm(workFolder, { recursive: true, force: true });
  }
}

/** What is left over is no reason to call a sync failed: the next one takes it away. */
async function tidy({ destination, retention, signal, onNote }: Run, inOrder: boolean): Promise<void> {
  try {
    await destination.tidy(retention, inOrder);
  } catch (error) {
    if (!signal.aborted) onNote?.(`Old backups could not be removed: ${error instanceof Error ? error.message : ""}`);
  }
}

async function work(run: Run): Promise<SyncReport> {
  const { direction, dryRun, deletes, resolutions, filter, signal, memoryFile } = run;
  const memory = await Memory.open(memoryFile);
  let before: ReportedChange[] = [];
  if (memory.isNew && !dryRun && !resolutions) {
    const first = await firstRun(run, memory);
    if (first.whole) return first.report;
    before = [...first.report.changes];
  }
  run.onPhase?.("compare");
  const { reader } = await runRsync(run.places, { options: ["--dry-run", "-ii"], signal });
  const { digest } = reader;
  const { settled } = memory;
  const asBefore =
    settled && settled.count === digest.count && settled.sum === digest.sum && settled.direction === direction;
  if (reader.differing.length === 0 && asBefore && !resolutions) return reportOf(before, 0, null);
  const plan = await makePlan(reader, memory, run, { direction, deletes, resolutions, git: filter.git });
  checkSize(plan, run);
  const known = new Set(plan.map(({ path }) => path));
  const skipped = skippedOf(reader).filter(({ path }) => !known.has(path));
  if (dryRun) return reportOf([...changesOf(plan), ...skipped], bytesOf(plan), null);
  const backup = await carryOut(run, plan, memory);
  await remember(run, reader, plan, memory);
  return reportOf([...before, ...changesOf(plan), ...skipped], bytesOf(plan), backup);
}

function changesOf(plan: readonly PlannedChange[]): ReportedChange[] {
  return plan.flatMap((change) => reported(change) ?? []);
}

function bytesOf(plan: readonly PlannedChange[]): number {
  return plan.reduce((sum, { decision, source }) => {
    return decision.kind === "go" && source?.type === "file" ? sum + source.bytes : sum;
  }, 0);
}

/** What a sandbox offers may be any size. */
function checkSize(plan: readonly PlannedChange[], { limits, direction }: Run): void {
  if (direction !== "pull") return;
  const files = plan.filter(({ decision }) => decision.kind === "go").length;
  const bytes = bytesOf(plan);
  if (files <= limits.files && bytes <= limits.bytes) return;
  throw new SyncFailure("too_much", `The sandbox has ${files} new or changed files of ${bytes} bytes in all.`, {
    hint: "Name what is to be left out in a .berthignore, or with excludes.",
  });
}
