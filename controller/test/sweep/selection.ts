import { createHash } from "node:crypto";

/** Which cases run: `SWEEP_ONLY` is a regular expression on their names, `SWEEP_FRACTION` a share of them by `SWEEP_SEED`. */
export interface Selection {
  readonly only: RegExp | undefined;
  readonly fraction: number;
  readonly seed: string;
}

export function selectionOf(environment: NodeJS.ProcessEnv): Selection {
  const { SWEEP_ONLY: only, SWEEP_FRACTION: fraction, SWEEP_SEED: seed } = environment;
  return {
    only: only ? new RegExp(only) : undefined,
    fraction: fraction ? Number(fraction) : 1,
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
