import { createHash } from "node:crypto";
import type { BigIntStats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";

/** Kernels stamp files by a clock of theirs that goes on in steps of up to ten milliseconds. */
const stampStepMs = 20;

/** Changes with every change of a file: its contents, its mode, another file in its place. */
export function versionOf(found: BigIntStats): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = found;
  return createHash("sha256").update(`${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`).digest("hex").slice(0, 32);
}

/**
 * A file's facts, when whatever is written to it from now on gets another stamp. One that has just been changed is
 * waited for: a second change in the same step of the kernel's clock would leave its version as it is.
 */
export async function settledFacts(file: FileHandle): Promise<BigIntStats> {
  for (let looks = 0; ; looks += 1) {
    const found = await file.stat({ bigint: true });
    const ageMs = Date.now() - Number(found.ctimeMs);
    // A file that is written all the time, or whose stamp lies in the future, is taken as it is.
    if (ageMs < 0 || ageMs > stampStepMs || looks >= 3) return found;
    await setTimeout(stampStepMs - ageMs + 1);
  }
}
