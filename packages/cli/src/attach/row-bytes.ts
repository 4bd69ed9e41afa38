import type { IBufferCell, IBufferLine } from "@xterm/headless";

/** The text and the looks of a row, as bytes that draw it from the first column of an erased line. */
export function rowBytes(line: IBufferLine, cols: number): string {
  const parts: string[] = [];
  let look = "";
  for (let column = 0; column < Math.min(cols, line.length); ) {
    const cell = line.getCell(column);
    if (!cell) break;
    const wanted = lookOf(cell);
    if (wanted !== look) parts.push(wanted);
    look = wanted;
    parts.push(cell.getChars() || " ");
    column += Math.max(1, cell.getWidth());
  }
  return `${parts.join("")}\x1b[m`;
}

const flags: readonly (readonly [(cell: IBufferCell) => number, number])[] = [
  [(cell) => cell.isBold(), 1],
  [(cell) => cell.isDim(), 2],
  [(cell) => cell.isItalic(), 3],
  [(cell) => cell.isUnderline(), 4],
  [(cell) => cell.isBlink(), 5],
  [(cell) => cell.isInverse(), 7],
  [(cell) => cell.isInvisible(), 8],
  [(cell) => cell.isStrikethrough(), 9],
  [(cell) => cell.isOverline(), 53],
];

function lookOf(cell: IBufferCell): string {
  const codes: number[] = [0, ...flags.filter(([has]) => has(cell) !== 0).map(([, code]) => code)];
  if (cell.isFgRGB()) codes.push(38, 2, ...rgb(cell.getFgColor()));
  else if (cell.isFgPalette()) codes.push(38, 5, cell.getFgColor());
  if (cell.isBgRGB()) codes.push(48, 2, ...rgb(cell.getBgColor()));
  else if (cell.isBgPalette()) codes.push(48, 5, cell.getBgColor());
  return `\x1b[${codes.join(";")}m`;
}

function rgb(color: number): number[] {
  return [(color >>> 16) & 0xff, (color >>> 8) & 0xff, color & 0xff];
}
