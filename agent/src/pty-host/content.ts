import type { AwakeScreens } from "./awake-screens.ts";
import { limits } from "./limits.ts";
import { RestingScreen } from "./resting-screen.ts";
import { OutputRing } from "./ring.ts";
import { ScreenFeed } from "./screen-feed.ts";
import type { Size } from "./size.ts";
import type { TerminalMeta, TerminalStore } from "./store.ts";

/** What a terminal shows: its output of this epoch, and the screen after it. */
export interface TerminalContent {
  readonly ring: OutputRing;
  readonly feed: ScreenFeed;
}

/** A terminal that has not shown anything yet. */
export function emptyContent(size: Size, awake: AwakeScreens): TerminalContent {
  const ring = new OutputRing(limits.ringBytes, limits.firstRingBytes);
  return { ring, feed: new ScreenFeed(ring, RestingScreen.blank(size), 0, awake) };
}

/** The content that another process left on disk: the last screen it wrote, and what came after it. */
export async function loadContent(
  store: TerminalStore,
  meta: TerminalMeta,
  awake: AwakeScreens,
): Promise<TerminalContent> {
  const ring = await store.readRing(meta.epoch);
  const stored = await store.readScreen();
  // A host that was killed on the way to the next epoch left the screen that it would have begun with.
  const isNext = stored?.epoch === meta.epoch + 1 && stored.offset === 0;
  const isOwn = stored?.epoch === meta.epoch && stored.offset <= ring.endOffset;
  const screen = isNext || isOwn ? stored : undefined;
  const { cols, rows } = screen ?? meta;
  const model = await RestingScreen.blank({ cols, rows }).wake();
  if (screen) await model.write(screen.bytes);
  else if (ring.startOffset > 0) await model.skip();
  model.title ||= meta.title;
  const shown = isNext ? ring.endOffset : (screen?.offset ?? ring.startOffset);
  const feed = new ScreenFeed(ring, model, shown, awake);
  await feed.caughtUp();
  if (model.cols !== meta.cols || model.rows !== meta.rows) feed.resize(meta.cols, meta.rows);
  await feed.caughtUp();
  return { ring, feed };
}

/**
 * The same screen under a new, empty ring: the next epoch goes on below what the last one left, which the model has to
 * show already.
 */
export function nextContent({ feed }: TerminalContent): TerminalContent {
  const ring = new OutputRing(limits.ringBytes, limits.firstRingBytes);
  return { ring, feed: feed.continueWith(ring) };
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
