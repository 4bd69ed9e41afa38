const units = [
  { ms: 86_400_000, name: "d" },
  { ms: 3_600_000, name: "h" },
  { ms: 60_000, name: "min" },
] as const;

/** A duration in its two largest units, full ones: "7 h 59 min", "29 d", "less than a minute". */
export function durationWords(ms: number): string {
  const first = units.findIndex((unit) => ms >= unit.ms);
  if (first < 0) return "less than a minute";
  const words: string[] = [];
  let left = ms;
  for (const unit of units.slice(first, first + 2)) {
    const count = Math.floor(left / unit.ms);
    left -= count * unit.ms;
    if (count > 0) words.push(`${count} ${unit.name}`);
  }
  return words.join(" ");
}
