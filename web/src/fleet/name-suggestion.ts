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
  return freeName(`${pick(manners)}-${pick(things)}`, taken);
}

/** Longest name of a sandbox: a DNS label. */
const maxNameLength = 63;

/** A name that is made of another thing's and not taken: `My_App` is `my-app`. Undefined: nothing of it can be in a name. */
export function nameLike(text: string, taken: ReadonlySet<string>): string | undefined {
  const plain = text.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  const stem = plain
    .replace(/^-/, "")
    .slice(0, maxNameLength - "-999".length)
    .replace(/-$/, "");
  return stem === "" ? undefined : freeName(stem, taken);
}

function freeName(name: string, taken: ReadonlySet<string>): string {
  for (let count = 1; ; count += 1) {
    const candidate = count === 1 ? name : `${name}-${count}`;
    if (!taken.has(candidate)) return candidate;
  }
}
