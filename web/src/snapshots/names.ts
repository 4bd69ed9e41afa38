import { isReservedSnapshotName, nameSchema, snapshotNameSchema } from "@berth/protocol";
import { Value } from "typebox/value";

/** Longest name of a sandbox: a DNS label. */
const maxNameLength = 63;

/** A snapshot's name that says when it was taken, in local time: `at-2026-11-21-18-04`, or with `-2` where that is taken. */
export function suggestSnapshotName(taken: ReadonlySet<string>, now: Date): string {
  const two = (part: number) => String(part).padStart(2, "0");
  const day = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())];
  return freeAmong(taken, `at-${[...day, two(now.getHours()), two(now.getMinutes())].join("-")}`);
}

/** What is wrong with a name for a snapshot; undefined: nothing. */
export function wrongSnapshotName(name: string, taken: ReadonlySet<string>): string | undefined {
  if (!Value.Check(snapshotNameSchema, name)) {
    return "A letter, then letters, digits, hyphens and underscores: two to forty in all.";
  }
  if (isReservedSnapshotName(name)) return "This name is reserved. Choose another one.";
  return taken.has(name) ? "There is a snapshot of this name." : undefined;
}

/** A name for a copy of a sandbox: `web-copy`, `web-copy-2`; that of a copy of a copy grows no longer. */
export function suggestForkName(source: string, taken: ReadonlySet<string>): string {
  const stem = source.replace(/-copy(-\d+)?$/, "").slice(0, maxNameLength - "-copy-999".length);
  return freeAmong(taken, `${stem.replace(/-+$/, "")}-copy`);
}

/** What is wrong with a name for a sandbox; undefined: nothing. */
export function wrongSandboxName(name: string, taken: ReadonlySet<string>): string | undefined {
  if (!Value.Check(nameSchema, name)) {
    return "Lower-case letters, digits and hyphens only, with a letter or digit at both ends.";
  }
  return taken.has(name) ? "There is a sandbox of this name." : undefined;
}

function freeAmong(taken: ReadonlySet<string>, name: string): string {
  for (let count = 1; ; count += 1) {
    const candidate = count === 1 ? name : `${name}-${count}`;
    if (!taken.has(candidate)) return candidate;
  }
}
