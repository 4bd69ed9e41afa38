import { readFileSync } from "node:fs";

/** A program whose words tell why a test failed. */
export interface Speaker {
  /** What it is, for people. */
  readonly title: string;
  readonly running: boolean;
  readonly stdout: string;
  readonly stderr: string;
  /** Files that programs of its own write to. */
  readonly logFiles: readonly string[];
}

/** What a program kept, an ended one too: the one that died is the one that matters. */
const keptSpeakers = 12;
const speakers: Speaker[] = [];

/** Has a program heard when a test fails. The last dozen of a test process are remembered. */
export function remember(speaker: Speaker): void {
  speakers.push(speaker);
  while (speakers.length > keptSpeakers) {
    const ended = speakers.findIndex(({ running }) => !running);
    speakers.splice(Math.max(0, ended), 1);
  }
}

/** The last lines of everything that the remembered programs wrote; those that wrote nothing are left out. */
export function lastWords(lines: number): string {
  return speakers
    .flatMap(({ title, running, stdout, stderr, logFiles }) => [
      passage(`${title}, ${running ? "which runs" : "which has ended"}: stdout`, stdout, lines),
      passage(`${title}: stderr`, stderr, lines),
      ...logFiles.map((file) => passage(`${title}: ${file}`, textOf(file), lines)),
    ])
    .join("");
}

function passage(heading: string, text: string, lines: number): string {
  if (text.trim() === "") return "";
  return `--- ${heading}\n${text.trimEnd().split("\n").slice(-lines).join("\n")}\n`;
}

/** The data of one that has ended in order is gone. */
function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
