import Type, { type Static } from "typebox";
import { Compile, type Validator } from "typebox/compile";
import type { CellStyle } from "./cell-style.ts";
import { charsetFinal } from "./charsets.ts";

/**
 * The parts of xterm's state that its public interface lacks and a snapshot must carry. This file alone looks inside;
 * the version of @xterm/headless is pinned, and a test compares every mode before and after a snapshot.
 */
export interface HiddenState {
  cursorHidden: boolean;
  /** `DEFAULT`, `SGR` or `SGR_PIXELS`. */
  mouseEncoding: string;
  cursorStyle: string | undefined;
  cursorBlink: boolean | undefined;
  /** The scroll region of the active buffer, from 0. */
  scrollTop: number;
  scrollBottom: number;
  normalScrollTop: number;
  normalScrollBottom: number;
  /** What G0 to G3 are, as `charsetFinal` names them, and which of them is in use. */
  charsets: readonly string[];
  charsetLevel: number;
  /** What was parsed last was printed, so that a combining mark would join it. */
  joins: boolean;
  style: CellStyle;
  normalSaved: SavedCursor;
  alternateSaved: SavedCursor;
  links: Hyperlinks;
  /** Columns with a tab stop, from 0; of the alternate buffer only what is set while it is shown. */
  normalTabs: readonly number[];
  alternateTabs: readonly number[];
}
/** What the terminal knows of its hyperlinks, by the number that a cell has. */
export interface Hyperlinks {
  getLinkData(urlId: number): { readonly id?: string; readonly uri: string } | undefined;
}
export interface SavedCursor {
  x: number;
  /** Counted from the top of the scrollback. */
  y: number;
  style: CellStyle;
  /** As `charsetFinal` names it. */
  charset: string;
}

const attributes = Type.Object({ fg: Type.Number(), bg: Type.Number() });
const buffer = Type.Object({
  scrollTop: Type.Number(),
  scrollBottom: Type.Number(),
  savedX: Type.Number(),
  savedY: Type.Number(),
  savedCurAttrData: attributes,
  savedCharset: Type.Optional(Type.Unknown()),
  tabs: Type.Unsafe<Record<string, boolean>>(Type.Object({})),
  lines: Type.Unsafe<{ readonly length: number; get(index: number): unknown }>(
    Type.Object({ length: Type.Integer(), get: Type.Function([Type.Integer()], Type.Unknown()) }),
  ),
});
const charsets = Type.Object({
  glevel: Type.Number(),
  charset: Type.Optional(Type.Unknown()),
  _charsets: Type.Array(Type.Unknown()),
});
const coreSchema = Type.Object({
  coreService: Type.Object({
    isCursorHidden: Type.Boolean(),
    decPrivateModes: Type.Object({
      cursorStyle: Type.Optional(Type.String()),
      cursorBlink: Type.Optional(Type.Boolean()),
    }),
  }),
  coreMouseService: Type.Object({ activeEncoding: Type.String() }),
  _bufferService: Type.Object({ buffer, buffers: Type.Object({ _normal: buffer, _alt: buffer }) }),
  _charsetService: charsets,
  _oscLinkService: Type.Unsafe<Hyperlinks>(
    Type.Object({ getLinkData: Type.Function([Type.Integer()], Type.Unknown()) }),
  ),
  _inputHandler: Type.Object({
    _curAttrData: attributes,
    _parser: Type.Object({ currentState: Type.Integer(), precedingJoinState: Type.Integer() }),
    parse: Type.Unsafe<(...args: unknown[]) => unknown>(Type.Function([], Type.Unknown())),
  }),
});
/** Compiled with the first terminal, not at the program's start. */
let compiledCore: Validator<Type.TProperties, typeof coreSchema> | undefined;

function isCore(value: unknown): value is Static<typeof coreSchema> {
  compiledCore ??= Compile(coreSchema);
  return compiledCore.Check(value);
}

/** Reads the hidden state. Throws if this xterm is built differently. */
export function hiddenState(terminal: object): HiddenState {
  const inside: unknown = "_core" in terminal ? terminal._core : undefined;
  if (!isCore(inside)) throw new Error("this version of xterm keeps its state elsewhere");
  const { coreService, coreMouseService, _bufferService, _charsetService, _inputHandler } = inside;
  const { _normal, _alt } = _bufferService.buffers;
  return {
    cursorHidden: coreService.isCursorHidden,
    mouseEncoding: coreMouseService.activeEncoding,
    cursorStyle: coreService.decPrivateModes.cursorStyle,
    cursorBlink: coreService.decPrivateModes.cursorBlink,
    scrollTop: _bufferService.buffer.scrollTop,
    scrollBottom: _bufferService.buffer.scrollBottom,
    normalScrollTop: _bufferService.buffers._normal.scrollTop,
    normalScrollBottom: _bufferService.buffers._normal.scrollBottom,
    charsets: [0, 1, 2, 3].map((level) => charsetFinal(inUse(_charsetService, level))),
    charsetLevel: _charsetService.glevel,
    joins: _inputHandler._parser.precedingJoinState !== 0,
    style: _inputHandler._curAttrData,
    normalSaved: savedCursor(_normal),
    alternateSaved: savedCursor(_alt),
    links: inside._oscLinkService,
    normalTabs: tabStops(_normal),
    alternateTabs: tabStops(_alt),
  };
}

/**
 * What the first line of a buffer was wrapped from is gone, and no output could say again that it was wrapped. The
 * terminal forgets it too, so that it and one that was drawn from a snapshot behave alike from here on.
 */
export function forgetLostWraps(terminal: object): void {
  const inside: unknown = "_core" in terminal ? terminal._core : undefined;
  if (!isCore(inside)) throw new Error("this version of xterm keeps its state elsewhere");
  const { _normal, _alt } = inside._bufferService.buffers;
  for (const { lines } of [_normal, _alt]) {
    const first = lines.get(0);
    if (isLine(first)) first.isWrapped = false;
  }
}

function isLine(value: unknown): value is { isWrapped: boolean } {
  return typeof value === "object" && value !== null && "isWrapped" in value && typeof value.isWrapped === "boolean";
}

/** Whether the parser stands within a control sequence (its state 0 is the ground). */
export function isInSequence(terminal: object): boolean {
  const inside: unknown = "_core" in terminal ? terminal._core : undefined;
  if (!isCore(inside)) throw new Error("this version of xterm keeps its state elsewhere");
  return inside._inputHandler._parser.currentState !== 0;
}

function tabStops({ tabs }: Static<typeof buffer>): number[] {
  return Object.keys(tabs)
    .filter((column) => tabs[column])
    .map(Number);
}

function savedCursor(from: Static<typeof buffer>): SavedCursor {
  const charset = charsetFinal(from.savedCharset);
  return { x: from.savedX, y: from.savedY, style: from.savedCurAttrData, charset };
}

/** What a level prints by; of the one in use that may differ from what was designated, after a restored cursor. */
function inUse(from: Static<typeof charsets>, level: number): unknown {
  return from.glevel === level ? from.charset : from._charsets[level];
}

/** A line of xterm's buffer, as far as its memory goes. */
export interface BufferLine {
  /** Its cells, three words each. */
  _data: Uint32Array<ArrayBuffer>;
  length: number;
  readonly constructor: new (cols: number) => BufferLine;
  setCell(column: number, cell: unknown): void;
  /** Takes over all of a line of the same length. */
  copyFrom(line: BufferLine): void;
  clone(): BufferLine;
  /** Answers whether `cleanupMemory` would free anything. */
  resize(cols: number, fill: unknown): boolean;
  cleanupMemory(): number;
}

/** All lines of both buffers. Throws if this xterm is built differently. */
export function* bufferLines(terminal: object): Generator<BufferLine> {
  const inside: unknown = "_core" in terminal ? terminal._core : undefined;
  if (!isCore(inside)) throw new Error("this version of xterm keeps its state elsewhere");
  const { _normal, _alt } = inside._bufferService.buffers;
  for (const { lines } of [_normal, _alt]) {
    for (let index = 0; index < lines.length; index += 1) {
      const line = lines.get(index);
      if (!isBufferLine(line)) throw new Error("this version of xterm keeps its lines elsewhere");
      yield line;
    }
  }
}

function isBufferLine(value: unknown): value is BufferLine {
  return (
    isLine(value) &&
    "_data" in value &&
    value._data instanceof Uint32Array &&
    ["clone", "copyFrom", "resize", "cleanupMemory", "setCell"].every(
      (name) => name in value && typeof value[name as keyof typeof value] === "function",
    )
  );
}

/** Has everything that the parser does be done by `around`. */
export function surroundParser(terminal: object, around: <T>(parse: () => T) => T): void {
  const inside: unknown = "_core" in terminal ? terminal._core : undefined;
  if (!isCore(inside)) throw new Error("this version of xterm keeps its parser elsewhere");
  const handler = inside._inputHandler;
  const parse = handler.parse.bind(handler);
  handler.parse = (...args) => around(() => parse(...args));
}
