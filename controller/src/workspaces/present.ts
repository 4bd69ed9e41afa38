import type { Failure, SyncChange, SyncDirection, SyncResult } from "@berth/protocol";
import {
  type EntryState,
  otherHostKey,
  type RawPath,
  type ReportedChange,
  rawPathBytes,
  rawPathOfText,
  SyncFailure,
  type SyncReport,
  textOf,
} from "@berth/sync";
import { HostKeyMismatch } from "../bootstrap/connect.ts";

/** A path as the outside sees it. */
export function presentPath(path: RawPath): { path: string; pathBytes?: string } {
  const { text, exact } = textOf(path);
  return exact ? { path: text } : { path: text, pathBytes: rawPathBytes(path).toString("base64url") };
}

/** The path that somebody has named, by its bytes where they are given. */
export function namedPath({ path, pathBytes }: { path: string; pathBytes?: string }): RawPath {
  return pathBytes === undefined ? rawPathOfText(path) : Buffer.from(pathBytes, "base64url").toString("latin1");
}

/** What a sync did to one path. */
export function presentChange(change: ReportedChange, direction: SyncDirection): SyncChange {
  const [host, sandbox] =
    direction === "push" ? [change.source, change.destination] : [change.destination, change.source];
  return {
    ...presentPath(change.path),
    action: change.action,
    ...(change.reason === undefined ? {} : { reason: change.reason }),
    host: presentState(host),
    sandbox: presentState(sandbox),
  };
}

function presentState(state: EntryState | undefined): SyncChange["host"] {
  if (!state) return null;
  const { type, bytes, mtimeNs } = state;
  return { type, bytes, modifiedAt: instantOf(mtimeNs) };
}

/** A sandbox may set any time, also one that JavaScript has no date for. */
function instantOf(ns: string): string {
  const date = new Date(Number(BigInt(ns) / 1_000_000n));
  return Number.isNaN(date.getTime()) || date.getUTCFullYear() > 9999 || date.getUTCFullYear() < 0
    ? new Date(0).toISOString()
    : date.toISOString();
}

/** A sync in numbers. */
export function presentResult({ counts, bytes, backup }: SyncReport): SyncResult {
  const { create, update, delete: deleted, stays, conflict, skipped } = counts;
  return { created: create, updated: update, deleted, stayed: stays, conflicts: conflict, skipped, bytes, backup };
}

/** Why a sync failed, as it is kept. */
export function failureOf(error: unknown): Failure {
  if (error instanceof SyncFailure) {
    const { code, message, hint } = error;
    return { code: `sync_${code}`, message, ...(hint === undefined ? {} : { hint }) };
  }
  if (error instanceof HostKeyMismatch) return failureOf(otherHostKey());
  const message = error instanceof Error ? error.message : "unknown error";
  const hint =
    typeof error === "object" && error !== null && "hint" in error && typeof error.hint === "string"
      ? { hint: error.hint }
      : {};
  return { code: "sync_failed", message, ...hint };
}
