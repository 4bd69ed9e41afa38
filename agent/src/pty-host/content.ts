import { limits } from "./limits.ts";
import { OutputRing } from "./ring.ts";
import { ScreenFeed } from "./screen-feed.ts";
import type { ScreenModel } from "./screen-model.ts";
import type { TerminalMeta, TerminalStore } from "./store.ts";

/** What a terminal shows: its output of this epoch, and the screen after it. */
export interface TerminalContent {
  readonly ring: OutputRing;
  readonly model: ScreenModel;
  readonly feed: ScreenFeed;
}

/**
 * The terminal emulation takes half of what this program's start would take. It comes with the first terminal: a sandbox
 * that boots beside many others has none yet.
 */
async function newModel(cols: number, rows: number): Promise<ScreenModel> {
  const { ScreenModel } = await import("./screen-model.ts");
  return new ScreenModel(cols, rows);
}

/** A terminal that has not shown anything yet. */
export async function emptyContent(cols: number, rows: number): Promise<TerminalContent> {
  const ring = new OutputRing(limits.ringBytes, limits.firstRingBytes);
  const model = await newModel(cols, rows);
  return { ring, model, feed: new ScreenFeed(ring, model, 0) };
}

/** The content that another process left on disk: the last screen it wrote, and what came after it. */
export async function loadContent(store: TerminalStore, meta: TerminalMeta): Promise<TerminalContent> {
  const ring = await store.readRing(meta.epoch);
  const stored = await store.readScreen();
  // A host that was killed on the way to the next epoch left the screen that it would have begun with.
  const isNext = stored?.epoch === meta.epoch + 1 && stored.offset === 0;
  const isOwn = stored?.epoch === meta.epoch && stored.offset <= ring.endOffset;
  const screen = isNext || isOwn ? stored : undefined;
  const model = await newModel(screen?.cols ?? meta.cols, screen?.rows ?? meta.rows);
  if (screen) await model.write(screen.bytes);
  else if (ring.startOffset > 0) await model.skip();
  model.title ||= meta.title;
  const shown = isNext ? ring.endOffset : (screen?.offset ?? ring.startOffset);
  const feed = new ScreenFeed(ring, model, shown);
  await feed.caughtUp();
  if (model.cols !== meta.cols || model.rows !== meta.rows) feed.resize(meta.cols, meta.rows);
  await feed.caughtUp();
  return { ring, model, feed };
}

/**
 * The same screen under a new, empty ring: the next epoch goes on below what the last one left, which the model has to
 * show already.
 */
export function nextContent({ model, feed }: TerminalContent): TerminalContent {
  feed.stop();
  const ring = new OutputRing(limits.ringBytes, limits.firstRingBytes);
  return { ring, model, feed: new ScreenFeed(ring, model, 0) };
}

const endedModes = [1000, 1002, 1003, 1004, 1006, 2004].map((mode) => `\x1b[?${mode}l`).join("");

/**
 * The first output of a later epoch: ends what the earlier program may have left (its alternate screen, modes and
 * colours) and goes on below the last row of the main screen that has text, from 0, or -1.
 */
export function epochBreak(lastTextRow: number): Uint8Array {
  const below = lastTextRow < 0 ? "\x1b[H" : `\x1b[${lastTextRow + 1};1H\r\n`;
  return Buffer.from(`\x1b[?1049l\x1b[!p${endedModes}\x1b[?25h\x1b[m${below}\x1b[2m— started anew —\x1b[m\r\n`);
}
