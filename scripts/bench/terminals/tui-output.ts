const colours = ["31", "32", "33", "34", "35", "36", "1;37", "38;5;208", "38;2;120;200;80", "48;5;236"] as const;
const words = "the quick build of src/agent/link.ts passed in 12 ms with naïve 漢字 and 🚀 — 100% │ ok".split(" ");
/** Screens are drawn for a terminal of this size. */
const size = { cols: 80, rows: 24 };
/** What is made anew; more of it is the same again. */
const blockBytes = 4 * 1024 * 1024;

/**
 * Output as programs with a text interface make it: coloured logs that scroll, progress that overwrites itself, boxes
 * that are drawn again in place, now and then an alternate screen. Always the same bytes; cut at exactly so many.
 */
export function mixedTuiOutput(bytes: number): Buffer {
  const random = numbers(20_231);
  const parts: string[] = [];
  for (let length = 0; length < Math.min(bytes, blockBytes); length += parts.at(-1)?.length ?? 0) {
    const kind = random(100);
    if (kind < 55) parts.push(logLines(random));
    else if (kind < 75) parts.push(progress(random));
    else if (kind < 98) parts.push(box(random));
    else parts.push(alternateScreen(random));
  }
  const block = Buffer.from(parts.join(""));
  const output = Buffer.allocUnsafe(bytes);
  for (let at = 0; at < bytes; at += block.byteLength) block.copy(output, at);
  return output;
}

function logLines(random: (below: number) => number): string {
  const lines = Array.from({ length: 1 + random(12) }, () => {
    const texts = Array.from({ length: 3 + random(9) }, () => words[random(words.length)]);
    return `\x1b[2m12:${10 + random(49)}\x1b[22m \x1b[${colour(random)}m${texts.join(" ")}\x1b[0m\r\n`;
  });
  return lines.join("");
}

function progress(random: (below: number) => number): string {
  const steps = Array.from({ length: 2 + random(6) }, (_, step) => {
    const done = Math.min(40, step * 6);
    return `\r\x1b[2K\x1b[32m${"█".repeat(done)}\x1b[90m${"░".repeat(40 - done)}\x1b[0m ${random(100)}% ${words[random(words.length)]}`;
  });
  return `${steps.join("")}\r\n`;
}

function box(random: (below: number) => number): string {
  const rows = 3 + random(8);
  const lines = Array.from({ length: rows }, (_, row) => {
    const text = Array.from({ length: 4 }, () => words[random(words.length)]).join(" ");
    return `\x1b[${2 + row};3H\x1b[${colour(random)}m│ ${text}\x1b[K\x1b[0m`;
  });
  return `\x1b7\x1b[?25l${lines.join("")}\x1b[?25h\x1b8`;
}

function alternateScreen(random: (below: number) => number): string {
  const lines = Array.from({ length: size.rows }, (_, row) => {
    return `\x1b[${row + 1};1H\x1b[${colour(random)}m${(words[random(words.length)] ?? "").repeat(5)}\x1b[0m`;
  });
  return `\x1b[?1049h\x1b[2J${lines.join("")}\x1b[?1049l`;
}

function colour(random: (below: number) => number): string {
  return colours[random(colours.length)] ?? "0";
}

/** The same numbers each time (a linear congruential generator with the constants of Numerical Recipes). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
