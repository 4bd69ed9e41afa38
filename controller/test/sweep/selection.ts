import { createHash } from "node:crypto";

/** Which cases of a sweep run. */
export interface Selection {
  /** `SWEEP_ONLY`: those whose name fits. */
  readonly only: RegExp | undefined;
  /** A share of them, chosen by the seed. */
  readonly fraction: number;
  /** `SWEEP_SEED`; today's date by default. */
  readonly seed: string;
}

/**
 * Reads the selection: all of them, unless a share is asked for, as `SWEEP_FRACTION` in process, as `SWEEP_WHOLE` for
 * the sweep of processes, and as `SWEEP_OTHERS` for those flows of the latter that are not of a sandbox's life.
 */
export function selectionOf(
  environment: NodeJS.ProcessEnv,
  share: "SWEEP_FRACTION" | "SWEEP_WHOLE" | "SWEEP_OTHERS",
): Selection {
  const { SWEEP_ONLY: only, SWEEP_SEED: seed } = environment;
  return {
    only: only ? new RegExp(only) : undefined,
    fraction: Number(environment[share] ?? 1),
    seed: seed ?? new Date().toISOString().slice(0, 10),
  };
}

/** The cases that are to run. The same seed always chooses the same ones of the same names. */
export function select<T extends { readonly name: string }>(
  cases: readonly T[],
  { only, fraction, seed }: Selection,
): T[] {
  return cases.filter(({ name }) => {
    if (only && !only.test(name)) return false;
    const digest = createHash("sha256").update(`${seed} ${name}`).digest();
    return digest.readUInt32BE(0) / 2 ** 32 < fraction;
  });
}
