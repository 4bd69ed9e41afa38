import type { IBuffer, IBufferCell, Terminal } from "@xterm/headless";
import { backgroundOf, type CellStyle, urlIdOf } from "../../src/pty-host/cell-style.ts";
import type { ScreenModel } from "../../src/pty-host/screen-model.ts";
import { hyperlink, styleOf } from "../../src/pty-host/serialize-lines.ts";
import { type Hyperlinks, hiddenState } from "../../src/pty-host/xterm-internals.ts";

/**
 * Everything of a screen that its owner could tell apart, in a form that compares well. With `blanks`, a blank and an
 * erased cell are the same: a cursor that waits behind an erased last column cannot be had without a blank there.
 */
export function describeScreen(
  model: ScreenModel,
  blanks = model.terminal.buffer.active.cursorX === model.cols,
): unknown {
  const terminal: Terminal = model.terminal;
  const { normal, active } = terminal.buffer;
  const { cursorHidden, mouseEncoding, cursorStyle, cursorBlink, scrollTop, scrollBottom, style, links, ...tabs } =
    hiddenState(terminal);
  return {
    kind: active.type,
    normal: lines(normal, terminal.cols, blanks, links),
    active: lines(active, terminal.cols, blanks, links),
    cursor: [active.cursorX, active.cursorY],
    modes: { ...terminal.modes, synchronizedOutputMode: false },
    hidden: { cursorHidden, mouseEncoding, cursorStyle, cursorBlink, scrollTop, scrollBottom },
    pen: [word(style.fg), word(style.bg & ~hasExtended)],
    penLink: hyperlink(links, urlIdOf(style)),
    title: model.title,
    palette: model.palette,
    tabs: [tabs.normalTabs, active.type === "alternate" ? tabs.alternateTabs : []].map((stops) =>
      stops.filter((column) => column < terminal.cols),
    ),
  };
}

function lines(buffer: IBuffer, cols: number, blanks: boolean, links: Hyperlinks): string[] {
  const described: string[] = [];
  for (let index = 0; index < buffer.length; index += 1) {
    const line = buffer.getLine(index);
    const cells: string[] = [];
    for (let column = 0; column < cols; column += 1) {
      const cell = line?.getCell(column);
      if (cell) cells.push(describeCell(cell, blanks, links));
    }
    // What the first line was wrapped from is gone.
    described.push(`${line?.isWrapped && index > 0 ? "+" : "-"}${cells.join(" ")}`);
  }
  return described;
}

function describeCell(cell: IBufferCell, blanks: boolean, links: Hyperlinks): string {
  const look = withoutForgottenLink(styleOf(cell), links);
  const chars = cell.getChars();
  // An erased cell shows its background alone; so does half of a wide character that was cut in two.
  if (chars === "" || (blanks && chars === " " && look.fg === 0 && look.bg === backgroundOf(look).bg))
    return `|${word(backgroundOf(look).bg)}`;
  const extended =
    look.bg & hasExtended && look.extended ? `${look.extended.underlineStyle}.${look.extended.underlineColor}` : "0.0";
  const link = urlIdOf(look) === 0 ? "" : hyperlink(links, urlIdOf(look));
  return `${chars}|${cell.getWidth()}|${word(look.fg)}|${word(look.bg & ~hasExtended)}|${extended}${link}`;
}

/** A link whose first line scrolled away leads nowhere any more. */
function withoutForgottenLink(look: CellStyle, links: Hyperlinks): CellStyle {
  if (urlIdOf(look) === 0 || links.getLinkData(urlIdOf(look))) return look;
  const plain = { fg: look.fg, bg: look.bg & ~hasExtended };
  return look.extended?.underlineStyle ? { ...look, extended: { ...look.extended, urlId: 0 } } : plain;
}

/** The flag of a look that has more than colours; xterm leaves it set when nothing of that is left. */
const hasExtended = 0x10000000;

/** A word of a cell's look; xterm leaves what an earlier RGB colour had in the bits that a palette colour does not use. */
function word(packed: number): string {
  const mode = (packed >>> 24) & 3;
  const used = mode === 3 ? 0xffffffff : mode === 0 ? 0xff000000 : 0xff0000ff;
  return (packed & used).toString(16);
}
