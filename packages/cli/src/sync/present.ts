import type { SyncChange, SyncDirection, SyncResult } from "@berth/protocol";
import { type EntryState, type RawPath, type ReportedChange, rawPathBytes, type SyncReport, textOf } from "@berth/sync";
import { harmless } from "../output/style.ts";

/** What a sync did to paths, in the API's shape. */
export function presentChanges(report: SyncReport, direction: SyncDirection): SyncChange[] {
  return report.changes.map((change) => presentChange(change, direction));
}

/** What a sync did to one path, in the API's shape; its `host` is this machine. */
function presentChange(change: ReportedChange, direction: SyncDirection): SyncChange {
  const { source, destination, action, reason } = change;
  const [host, sandbox] = direction === "push" ? [source, destination] : [destination, source];
  return {
    ...presentPath(change.path),
    action,
    ...(reason === undefined ? {} : { reason }),
    host: presentState(host),
    sandbox: presentState(sandbox),
  };
}

const signs: Partial<Record<string, string>> = { create: "+", update: "~", delete: "-", conflict: "!", skipped: "?" };

/** What a sync did or would do, a line a path, for people; without what it leaves alone. */
export function changeLines(changes: readonly SyncChange[]): string {
  const lines = changes.map(({ path, action, reason }) => {
    const sign = signs[action];
    return sign === undefined
      ? ""
      : `${sign} ${harmless(path)}${reason === undefined ? "" : `  (${harmless(reason)})`}\n`;
  });
  return lines.join("");
}

/** How a sync ended, in a sentence. */
export function resultWords({ created, updated, deleted, stayed }: SyncResult, dryRun: boolean): string {
  const [create, update, remove] = dryRun ? ["Would create", "update", "delete"] : ["Created", "updated", "deleted"];
  const left = stayed === 0 ? "" : ` ${stayed} left as they are at the destination.`;
  return `${create} ${created}, ${update} ${updated}, ${remove} ${deleted}.${left}`;
}

/** A sync in numbers. */
export function presentResult({ counts, bytes, backup }: SyncReport): SyncResult {
  const { create, update, delete: deleted, stays, conflict, skipped } = counts;
  return { created: create, updated: update, deleted, stayed: stays, conflicts: conflict, skipped, bytes, backup };
}

function presentPath(path: RawPath): { path: string; pathBytes?: string } {
  const { text, exact } = textOf(path);
  return exact ? { path: text } : { path: text, pathBytes: rawPathBytes(path).toString("base64url") };
}

function presentState(state: EntryState | undefined): SyncChange["host"] {
  if (!state) return null;
  const date = new Date(Number(BigInt(state.mtimeNs) / 1_000_000n));
  // Files may have times that JavaScript has no date for.
  const isDate = !Number.isNaN(date.getTime()) && date.getUTCFullYear() >= 0 && date.getUTCFullYear() <= 9999;
  return { type: state.type, bytes: state.bytes, modifiedAt: (isDate ? date : new Date(0)).toISOString() };
}
