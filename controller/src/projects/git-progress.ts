/** How far a clone, fetch or push is. */
export interface GitProgress {
  /** From 0 to 1 over all of its phases; null where git counts without knowing the end. */
  readonly fraction: number | null;
  readonly detail: string;
}

/** Where each phase begins and ends in the whole: receiving takes most of the time. */
const phases: Readonly<Record<string, readonly [number, number]>> = {
  "Counting objects": [0, 0.02],
  "Compressing objects": [0.02, 0.05],
  "Receiving objects": [0.05, 0.8],
  "Writing objects": [0.05, 0.9],
  "Resolving deltas": [0.8, 1],
};

/** Reads a line of git's progress, such as `Receiving objects:  45% (9/20), 1.2 MiB | 3 MiB/s`; undefined: another line. */
export function readProgress(line: string): GitProgress | undefined {
  const match = /^(?:remote: )?([A-Z][a-z]+ing [a-z]+): +(?:(\d{1,3})% \((\d+\/\d+)\)|\d+)(, [^,]*)?/.exec(line);
  const phase = match?.[1];
  if (phase === undefined) return undefined;
  const percent = match?.[2];
  const rate = match?.[4] && /[KMG]iB/.test(match[4]) ? match[4] : "";
  const span = Object.hasOwn(phases, phase) ? phases[phase] : undefined;
  if (percent === undefined || !span) return { fraction: null, detail: phase };
  const [from, to] = span;
  const fraction = from + ((to - from) * Math.min(100, Number(percent))) / 100;
  return { fraction, detail: `${phase}: ${percent}% (${match?.[3]})${rate}` };
}
