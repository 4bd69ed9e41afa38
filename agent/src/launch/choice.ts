import { appendFileSync, existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { readState } from "./state.ts";

/** The programs that are started by way of the launcher. */
export const roles = ["agent", "pty-host"] as const;
export type Role = (typeof roles)[number];

/** Starts of a program after which a version that has not proved itself is given up. */
export const maxStarts = 3;

/**
 * Chooses the update that a program is started from, as the path of its bundle; undefined for the template's own. Of a
 * version that is tried out the start is counted: one that ends again and again, or that cannot even be counted, is not
 * chosen any more, nor is the other program's of that version.
 */
export function chooseUpdate(folder: string, role: Role): string | undefined {
  const { trying, proven } = readState(folder);
  if (
    trying !== undefined &&
    existsSync(bundle(folder, trying, role)) &&
    !roles.some((any) => isExhausted(folder, trying, any))
  ) {
    if (countStart(folder, trying, role)) return bundle(folder, trying, role);
  }
  if (proven !== undefined && existsSync(bundle(folder, proven, role))) return bundle(folder, proven, role);
  return undefined;
}

/** Whether a program of a version has been started as often as one that is tried out may be. */
export function isExhausted(folder: string, version: string, role: Role): boolean {
  return startsOf(folder, version, role) >= maxStarts;
}

function bundle(folder: string, version: string, role: Role): string {
  return join(folder, version, `${role}.mjs`);
}

function startsFile(folder: string, version: string, role: Role): string {
  return join(folder, version, `starts.${role}`);
}

/** A byte a start: to append one is never half done, and needs no look at what is there. */
function countStart(folder: string, version: string, role: Role): boolean {
  try {
    appendFileSync(startsFile(folder, version, role), ".");
    return true;
  } catch {
    return false;
  }
}

function startsOf(folder: string, version: string, role: Role): number {
  return statSync(startsFile(folder, version, role), { throwIfNoEntry: false })?.size ?? 0;
}
