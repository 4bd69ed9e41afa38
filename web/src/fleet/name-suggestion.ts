const manners = [
  "amber",
  "brisk",
  "calm",
  "clear",
  "early",
  "fair",
  "fleet",
  "gentle",
  "keen",
  "late",
  "mild",
  "quiet",
  "slow",
  "still",
  "swift",
  "tidy",
];
const things = [
  "anchor",
  "bay",
  "beacon",
  "bow",
  "buoy",
  "cove",
  "delta",
  "ferry",
  "harbor",
  "keel",
  "mast",
  "pier",
  "reef",
  "skiff",
  "tide",
  "wharf",
];

/** A name that is easy to say and not taken: `calm-harbor`, `calm-harbor-2`. */
export function suggestName(taken: ReadonlySet<string>, random: () => number = Math.random): string {
  const pick = (words: readonly string[]) => words[Math.floor(random() * words.length)] ?? "calm";
  const name = `${pick(manners)}-${pick(things)}`;
  for (let count = 1; ; count += 1) {
    const candidate = count === 1 ? name : `${name}-${count}`;
    if (!taken.has(candidate)) return candidate;
  }
}
