import { stripVTControlCharacters } from "node:util";

/** Rows below a heading in columns that are as wide as they need to be; the last one is not padded. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heading, ...rows];
  const widths = heading.map((_, column) => Math.max(...all.map((row) => width(row[column] ?? ""))));
  const line = (row: readonly string[]) =>
    row.map((cell, column) => cell + " ".repeat((widths[column] ?? 0) - width(cell))).join("  ");
  return all.map((row) => `${line(row).trimEnd()}\n`).join("");
}

function width(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}
