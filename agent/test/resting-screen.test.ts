import { UnicodeGraphemesAddon } from "@xterm/addon-unicode-graphemes";
import headless from "@xterm/headless";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LineMemory } from "../src/pty-host/line-memory.ts";
import { RestingScreen } from "../src/pty-host/resting-screen.ts";
import { ScreenModel } from "../src/pty-host/screen-model.ts";
import { snapshot } from "../src/pty-host/snapshot.ts";
import { type RecordedSession, recordedSessions } from "./recordings/recorded-session.ts";
import { describeScreen } from "./support/screen.ts";
import { cols, piece, plainPiece, rows } from "./support/screen-pieces.ts";

const sessions = await recordedSessions();
const restsEach = 12;
const fuzzTimeoutMs = 60_000;

async function rested(model: ScreenModel): Promise<RestingScreen> {
  const resting = await RestingScreen.of(model, () => false);
  if (!resting) throw new Error("the screen does not rest");
  return resting;
}

async function modelAfter(output: string, scrollbackLines = 1000): Promise<ScreenModel> {
  const model = new ScreenModel(cols, rows, scrollbackLines);
  await model.write(Buffer.from(output));
  return model;
}

describe("a screen that rests", () => {
  it("gives each snapshot that its model would give, byte for byte", { timeout: fuzzTimeoutMs }, async () => {
    const outputs = fc.array(piece, { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(outputs, fc.nat({ max: 30 }), async (pieces, lines) => {
        const model = await modelAfter(pieces.join(""));
        const resting = await rested(model);
        for (const wanted of [0, lines, 1000]) {
          expect(resting.snapshot(wanted)?.toString()).toBe(model.snapshot(wanted).toString());
        }
        model.dispose();
      }),
      { numRuns: 300 },
    );
  });

  it("does so however many lines there are, and links that go over their ends", async () => {
    const link = "\x1b]8;;https://example.org/\x1b\\a link over\r\ntwo lines\x1b]8;;\x1b\\ ";
    const model = await modelAfter(
      `${link}${"漢字 a line that is wrapped\r\n\x1b[31mred\x1b[m\r\n"}`.repeat(200),
      2000,
    );
    const resting = await rested(model);
    expect(resting.lines).toBeGreaterThan(1000);
    for (let lines = 0; lines < resting.lines; lines += 7) {
      expect(resting.snapshot(lines)?.equals(model.snapshot(lines))).toBe(true);
    }
    model.dispose();
  });

  it("behaves under what follows as if it had never rested", { timeout: fuzzTimeoutMs }, async () => {
    const outputs = fc.array(plainPiece, { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(outputs, outputs, fc.integer({ min: 4, max: 20 }), async (before, after, width) => {
        const model = await modelAfter(before.join(""));
        const woken = await (await rested(model)).wake();
        expect(describeScreen(woken)).toEqual(describeScreen(model));
        expect(woken.approximate).toBe(model.approximate);
        for (const each of [model, woken]) {
          await each.write(Buffer.from(after.join("")));
          each.resize(width, rows + 1);
        }
        expect(describeScreen(woken, true)).toEqual(describeScreen(model, true));
        model.dispose();
        woken.dispose();
      }),
      { numRuns: 200 },
    );
  });

  it("remembers that it is approximate", async () => {
    const model = await modelAfter("text");
    await model.skip();
    await model.write(Buffer.from("more"));
    const resting = await rested(model);
    expect(resting.approximate).toBe(true);
    const woken = await resting.wake();
    expect(woken.approximate).toBe(true);
    expect(woken.text()).toEqual(model.text());
  });

  it("is not made of a model that is disturbed, nor within a string of which not all is kept", async () => {
    const model = await modelAfter("text\r\n".repeat(600));
    let looks = 0;
    expect(await RestingScreen.of(model, () => ++looks > 2)).toBe(undefined);
    await model.write(Buffer.from(`\x1b]2;${"t".repeat(5000)}`));
    expect(await RestingScreen.of(model, () => false)).toBe(undefined);
    await model.write(Buffer.from("\x07"));
    expect(await RestingScreen.of(model, () => false)).toBeDefined();
    model.dispose();
  });
});

/** Plays a session, and has the model rest and wake behind the parts that are named. */
async function play(session: RecordedSession, rests: ReadonlySet<number>): Promise<ScreenModel> {
  let model = new ScreenModel(session.cols, session.rows);
  let at = 0;
  const rest = async () => {
    const woken = await (await rested(model)).wake();
    model.dispose();
    model = woken;
  };
  for (const part of session.parts) {
    if ("resize" in part) model.resize(...part.resize);
    else {
      const bytes = Buffer.from(part.output, "latin1");
      for (let from = 0; from < bytes.byteLength; ) {
        const next = [...rests].filter((offset) => offset > at && offset <= at + bytes.byteLength - from);
        const length = next.length > 0 ? Math.min(...next) - at : bytes.byteLength - from;
        await model.write(bytes.subarray(from, from + length));
        from += length;
        at += length;
        if (rests.has(at)) await rest();
      }
    }
  }
  return model;
}

describe.each([...sessions])("the screen of %s", (_name, session) => {
  it("is the same however often it rested, at whatever byte", { timeout: 120_000 }, async () => {
    const total = session.parts.reduce((sum, part) => sum + ("output" in part ? part.output.length : 0), 0);
    const offsets = fc.sample(fc.integer({ min: 1, max: total }), { numRuns: restsEach, seed: 7 });
    const [never, often] = [await play(session, new Set()), await play(session, new Set(offsets))];
    expect(describeScreen(often, true)).toEqual(describeScreen(never, true));
    never.dispose();
    often.dispose();
  });
});

describe("lines in memory of their own", () => {
  it("show what they show in xterm's own memory, through every change of width", {
    timeout: fuzzTimeoutMs,
  }, async () => {
    const parts = fc.array(fc.oneof(piece, fc.integer({ min: 2, max: 40 })), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(parts, async (acts) => {
        const model = new ScreenModel(cols, rows, 50);
        const plain = new headless.Terminal({ cols, rows, scrollback: 50, allowProposedApi: true, logLevel: "off" });
        plain.loadAddon(new UnicodeGraphemesAddon());
        plain.unicode.activeVersion = "15-graphemes";
        for (const act of acts) {
          if (typeof act === "number") {
            model.resize(act, rows);
            plain.resize(act, rows);
          } else {
            await model.write(Buffer.from(act));
            await new Promise<void>((resolve) => plain.write(act, resolve));
          }
        }
        const extras = { title: "", palette: "", unfinished: new Uint8Array() };
        expect(snapshot(model.terminal, extras, 100).bytes.toString()).toBe(
          snapshot(plain, extras, 100).bytes.toString(),
        );
        model.dispose();
        plain.dispose();
      }),
      { numRuns: 200 },
    );
  });

  it("take no more than twice what is shown, however many come and go", { timeout: fuzzTimeoutMs }, async () => {
    const model = new ScreenModel(200, 50, 2000);
    const memory = new LineMemory(model.terminal);
    const former: Uint32Array[] = [];
    for (let round = 0; round < 40; round += 1) {
      memory.during(() => former.push(memory.take(100_000)));
      memory.tidy();
    }
    // One piece is in use, and one is kept for the next tidying; what lay elsewhere is freed at once.
    const pieces = new Set(former.filter((words) => words.length > 0).map(({ buffer }) => buffer));
    expect(pieces.size).toBeLessThanOrEqual(2);
    memory.free();
    expect(former.filter((words) => words.length > 0 && words.buffer.byteLength > 1e6)).toEqual([]);
    model.dispose();
  });
});
