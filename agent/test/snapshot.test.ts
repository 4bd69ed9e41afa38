import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ScreenModel } from "../src/pty-host/screen-model.ts";
import { describeScreen } from "./support/screen.ts";
import { cols, piece, plainPiece, rows } from "./support/screen-pieces.ts";

async function modelAfter(...parts: (string | Uint8Array)[]): Promise<ScreenModel> {
  const model = new ScreenModel(cols, rows);
  for (const part of parts) await model.write(Buffer.from(part));
  return model;
}

async function expectSameAfterSnapshot(output: string, more = ""): Promise<void> {
  const live = await modelAfter(output);
  const snapshot = live.snapshot(1000);
  // Whatever the viewer's terminal showed before must not matter.
  const viewer = await modelAfter("\x1b[?1049h\x1b[?25l\x1b[?1006h\x1b[41mdirt\x1b[2;3r\x1b(0\x1b[4h", snapshot);
  expect(describeScreen(viewer)).toEqual(describeScreen(live));
  await live.write(Buffer.from(more));
  await viewer.write(Buffer.from(more));
  expect(describeScreen(viewer, true)).toEqual(describeScreen(live, true));
  live.dispose();
  viewer.dispose();
}

/** What follows may end what the snapshot cut in two, wherever that was. */
async function expectSameWhereverCut(output: Buffer, at: number): Promise<void> {
  const live = await modelAfter(output.subarray(0, at));
  const viewer = await modelAfter(live.snapshot(1000), output.subarray(at));
  await live.write(output.subarray(at));
  expect(describeScreen(viewer, true)).toEqual(describeScreen(live, true));
  live.dispose();
  viewer.dispose();
}

/** Each run of a property draws two terminals. */
const fuzzTimeoutMs = 60_000;

describe("a snapshot", () => {
  it.each([
    ["an empty screen", ""],
    ["wide characters at the edge", "\x1b[1;12H漢\r\n字字字字字字字"],
    ["a cursor behind the last column", "123456789012"],
    ["an alternate screen over a scrolled one", "1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\x1b[?1049h\x1b[3;3Hvim\x1b[?25l"],
    ["lines that wrap into the scrollback", "abcdefghijklmnopqrstuvwxyz".repeat(5)],
    ["a coloured background to the end of the line", "\x1b[44mblue\x1b[K\r\n\x1b[mplain\x1b[42m\x1b[J"],
    ["a scroll region with origin mode", "\x1b[2;4r\x1b[?6h\x1b[2;2Hx"],
    ["a terminal that does not wrap", "\x1b[?7lmore than one line holds"],
    ["a saved cursor in colour", "\x1b[31m\x1b[2;5H\x1b7\x1b[m\x1b[1;1H"],
  ])("draws %s again", async (_name, output) => {
    await expectSameAfterSnapshot(output);
  });

  it.each([
    ["a combining mark", "cafe", "\u0301 x"],
    ["one behind a wide character, in colour", "\x1b[35m漢", "\u3099"],
    ["one behind the last column", "123456789012", "\u0301x"],
    ["one in insert mode", "abcdef\x1b[4h\x1b[3Gx", "\u0301y"],
    ["the second half of a flag", "\x1b[2;4r\x1b[?6h🇩", "🇪"],
    ["a skin tone", "👍", "🏽"],
    ["a repetition", "ab", "\x1b[4b"],
  ])("goes on with %s right behind it", async (_name, output, more) => {
    await expectSameAfterSnapshot(output, more);
  });

  it.each([..."0A4CRQKYEZH="])("carries the charset %s, as G0 to G3 and in a saved cursor", async (final) => {
    const text = "#@[]{}q~";
    for (const [set, use] of [
      ["(", ""],
      [")", "\x0e"],
      ["*", "\x1bn"],
      ["+", "\x1bo"],
    ]) {
      await expectSameAfterSnapshot(`\x1b${set}${final}`, `${use}${text}\x0f${text}`);
      await expectSameAfterSnapshot(`\x1b${set}${final}${use}`, text);
    }
    await expectSameAfterSnapshot(`\x1b(${final}\x1b7\x1b(B`, `\x1b8${text}`);
    const model = await modelAfter(`\x1b(${final}${text}`);
    expect(model.text().text).not.toBe(text);
    model.dispose();
  });

  it("goes on in the middle of whatever it was made in", { timeout: 60_000 }, async () => {
    const output = Buffer.from(
      "a\x1b[31;1mred\x1b[m\x1b]2;a title\x1b\\b漢字👍\x1b(0q\x1b(B\x1b[2;3Hc\x1bP1$r0m\x1b\\d\x1b]8;;https://example.org/\x1b\\e",
    );
    for (let at = 0; at <= output.byteLength; at += 1) await expectSameWhereverCut(output, at);
  });

  it("forgets what the first line was wrapped from, on both sides, when lines are put above it", async () => {
    await expectSameAfterSnapshot("hello world, a long line that wraps more than once\x1b[?1049l\x1b[M", "\x1bM");
  });

  it.each(["\x1b[1J", "\x1b[?1J"])("goes on after an erase above from the last cell, %j", async (erase) => {
    const model = await modelAfter(`\x1b[?1049h\x1b[1;1Hup here\x1b[${rows};1H123456789012${erase}`, "after");
    expect(model.text().text.trim()).toBe("after");
    expect(model.approximate).toBe(false);
    model.dispose();
  });

  it("loses no more than one write to an error of the parser", async () => {
    const model = new ScreenModel(cols, rows);
    model.terminal.parser.registerCsiHandler({ final: "~" }, () => {
      throw new Error("a fault of the parser");
    });
    await model.write(Buffer.from("\x1b[1~lost"));
    await model.write(Buffer.from("kept"));
    expect(model.text().text).toBe("kept");
    expect(model.approximate).toBe(true);
    model.dispose();
  });

  it("draws any screen again, cell by cell, with cursor and modes", { timeout: fuzzTimeoutMs }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 40 }), (pieces) => expectSameAfterSnapshot(pieces.join(""))),
      { numRuns: 400 },
    );
  });

  it("behaves under what follows as the screen would have without it", { timeout: fuzzTimeoutMs }, async () => {
    const pieces = fc.array(plainPiece, { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(pieces, pieces, (before, after) => expectSameAfterSnapshot(before.join(""), after.join(""))),
      { numRuns: 400 },
    );
  });
});
