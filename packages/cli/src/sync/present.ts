import type { SyncChange, SyncDirection, SyncResult } from "@berth/protocol";
import { type EntryState, type RawPath, type ReportedChange, rawPathBytes, type SyncReport, textOf } from "@berth/sync";
import { harmless } from "../output/style.ts";

/** What a sync did to one path, in the API's shape; its `host` is this machine. */
export function presentChange(change: ReportedChange, direction: SyncDirection): SyncChange {
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

/** What a sync did, a line a path, for people. */
export function changeLines(report: SyncReport, direction: SyncDirection): string[] {
  return report.changes.flatMap((change) => {
    const { path, action, reason } = presentChange(change, direction);
    const sign = signs[action];
    return sign === undefined ? [] : [`${sign} ${harmless(path)}${reason === undefined ? "" : `  (${reason})`}\n`];
  });
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
