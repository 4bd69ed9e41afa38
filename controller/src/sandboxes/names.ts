import { randomInt } from "node:crypto";

const qualities = [
  "amber",
  "brisk",
  "calm",
  "clear",
  "deft",
  "early",
  "fair",
  "fleet",
  "keen",
  "lucid",
  "mild",
  "noble",
  "plain",
  "quick",
  "quiet",
  "ready",
  "sound",
  "steady",
  "swift",
  "warm",
];
const vessels = [
  "barge",
  "brig",
  "canoe",
  "clipper",
  "cutter",
  "dinghy",
  "ferry",
  "frigate",
  "galley",
  "ketch",
  "launch",
  "lugger",
  "packet",
  "schooner",
  "skiff",
  "sloop",
  "tender",
  "trawler",
  "tug",
  "yawl",
];

/** A name for a sandbox that was given none; it may be taken. */
export function suggestName(): string {
  const pick = (words: readonly string[]) => words[randomInt(words.length)];
  return `${pick(qualities)}-${pick(vessels)}-${randomInt(100, 1000)}`;
}
