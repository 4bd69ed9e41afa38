const units = [
  ["d", 86_400],
  ["h", 3_600],
  ["min", 60],
] as const;

/** How long ago an instant was, in its largest whole unit: `3 h`. */
export function ago(instant: string, nowMs: number): string {
  return inUnit(nowMs - Date.parse(instant));
}

/** How long until an instant, likewise. */
export function until(instant: string, nowMs: number): string {
  return inUnit(Date.parse(instant) - nowMs);
}

function inUnit(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  for (const [unit, length] of units) if (seconds >= length) return `${Math.floor(seconds / length)} ${unit}`;
  return `${seconds} s`;
}
