import { attachLimits } from "@berth/protocol";
import { linkLimits, terminalChannelKind } from "@berth/protocol/link";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLog } from "../src/log.ts";
import { PtyHost } from "../src/pty-host/host.ts";
import { ScreenModel } from "../src/pty-host/screen-model.ts";
import { type FakePty, fakeSpawn } from "./support/fake-pty.ts";
import { loopback } from "./support/loopback.ts";
import { temporaryRoot, until } from "./support/pty-host.ts";
import { describeScreen } from "./support/screen.ts";

const megabyte = 1024 * 1024;
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("a program that floods its terminal", () => {
  let root: ReturnType<typeof temporaryRoot>;
  let host: PtyHost;
  let ptys: FakePty[];
  let link: ReturnType<typeof loopback>;

  beforeEach(async () => {
    root = temporaryRoot();
    const fake = fakeSpawn();
    ptys = fake.ptys;
    host = new PtyHost({ folder: root.path, spawn: fake.spawn, log: createLog("test", () => {}), bootId: "boot" });
    link = loopback((channel, kind, params) => host.open(channel, kind, params));
    for (const id of ["flood", "calm"]) {
      await host.handlers.start({ id, epoch: 1, argv: ["x"], cwd: "/", env: {}, cols: 80, rows: 24 });
    }
  });
  afterEach(async () => {
    link.close();
    for (const id of ["flood", "calm"]) await host.handlers.remove({ id });
    root.remove();
  });

  it("with ten gigabytes costs no memory, and another terminal goes on meanwhile", { timeout: 240_000 }, async () => {
    const [flood, calm] = ptys;
    if (!flood || !calm) throw new Error("nothing was started");
    const seen = { bytes: 0 };
    const channel = link.dialler.open(terminalChannelKind, { terminalId: "calm", scrollbackLines: 0, readOnly: false });
    channel.handle({
      onData: (payload) => {
        seen.bytes += payload.byteLength;
        channel.consumed(payload.byteLength);
      },
    });
    await until(() => seen.bytes > 0);
    const chunk = Buffer.from(`${"y".repeat(78)}\r\n`.repeat(820));
    const rounds = (10 * 1024 * megabyte) / (32 * chunk.byteLength);
    let before = 0;
    for (let round = 0; round < rounds; round += 1) {
      // The ring and the screen have grown to what they are by then.
      if (round === 100) before = process.memoryUsage().rss;
      for (let count = 0; count < 32; count += 1) flood.options.onData(chunk);
      const shown = seen.bytes;
      calm.emit(10);
      await turn();
      if (round % 50 === 0) await until(() => seen.bytes >= shown + 10);
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(96 * megabyte);
    const screen = await host.handlers.screen({ id: "flood" });
    expect(screen.offset).toBe(Math.ceil(rounds) * 32 * chunk.byteLength);
    expect(screen.text).toContain("yyyy");
  });
});

describe("a screen", () => {
  it.each([
    ["of an operating system command", "\x1b]2;", "t"],
    ["of a device control string", "\x1bP1;2q", "#0~"],
    ["of parameters", "\x1b[", "1;"],
    ["of subparameters", "\x1b[4", ":3"],
    ["of intermediates", "\x1b", "  "],
  ])("stays small and useful under an endless sequence %s", { timeout: 60_000 }, async (_name, begin, more) => {
    const model = new ScreenModel(20, 4);
    await model.write(Buffer.from(`before${begin}`));
    const endless = Buffer.from(more.repeat(megabyte / 2 / more.length));
    const before = process.memoryUsage().rss;
    for (let count = 0; count < 64; count += 1) await model.write(endless);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * megabyte);
    expect(model.snapshot(10).byteLength).toBeLessThan(16 * 1024);
    await model.write(Buffer.from("\x18\x1b\\\r\nafter"));
    expect(model.text().text).toBe("before\nafter");
    model.dispose();
  });

  it.each([
    [1, 1],
    [2, 1],
    [1, 500],
    [attachLimits.maxCols, attachLimits.maxRows],
  ])("of %d×%d is drawn again", { timeout: 60_000 }, async (cols, rows) => {
    const model = new ScreenModel(cols, rows);
    await model.write(Buffer.from(`${"\x1b[31mtext 漢字\x1b[m more\r\n".repeat(rows)}\x1b[44mx\x1b[K`));
    const snapshot = model.snapshot(10);
    expect(snapshot.byteLength).toBeLessThanOrEqual(linkLimits.maxFrameBytes);
    const viewer = new ScreenModel(cols, rows);
    await viewer.write(snapshot);
    const visible = (each: ScreenModel) => each.text();
    expect(visible(viewer)).toEqual(visible(model));
    for (const each of [model, viewer]) each.resize(80, 24);
    await viewer.write(Buffer.from("\x1bcanew"));
    await model.write(Buffer.from("\x1bcanew"));
    expect(describeScreen(viewer)).toMatchObject({ kind: "normal", cursor: [4, 0] });
    for (const each of [model, viewer]) each.dispose();
  });

  const { maxCols, maxRows } = attachLimits;
  const full = (cell: (at: number) => string) =>
    `\x1b[H${Array.from({ length: maxCols }, (_, at) => cell(at))
      .join("")
      .repeat(maxRows)}`;
  const letters = (at: number) => String.fromCharCode(97 + (at % 26));
  async function drawnAgain(output: string): Promise<[ScreenModel, ScreenModel]> {
    const model = new ScreenModel(maxCols, maxRows);
    await model.write(Buffer.from(output));
    const snapshot = model.snapshot(1000);
    expect(snapshot.byteLength).toBeLessThanOrEqual(linkLimits.maxFrameBytes);
    expect(model.snapshotApproximate).toBe(true);
    const viewer = new ScreenModel(maxCols, maxRows);
    await viewer.write(snapshot);
    return [model, viewer];
  }

  it("goes without its colours where these are too many for a frame, and says so", { timeout: 60_000 }, async () => {
    const cell = (at: number) => `\x1b[38;2;${at % 256};1;2;48;2;3;${at % 199};4mx`;
    const [model, viewer] = await drawnAgain(full((at) => cell(at).replace("x", letters(at))));
    expect(viewer.text()).toEqual(model.text());
    for (const each of [model, viewer]) each.dispose();
  });

  it("keeps the nearest of the basic colours where these fit", { timeout: 60_000 }, async () => {
    // A colour holds for eight cells, so that each change takes less of a frame.
    const color = (at: number) => (at % 8 ? "" : `\x1b[38;2;250;${at % 20};${at % 7};48;2;1;${at % 9};200m`);
    const links = (at: number) => (at % 8 ? "" : `\x1b]8;;https://example.org/${"x".repeat(60)}${at}\x1b\\`);
    const [model, viewer] = await drawnAgain(full((at) => `${color(at)}${links(at)}${letters(at)}`));
    expect(viewer.text()).toEqual(model.text());
    const first = viewer.terminal.buffer.active.getLine(0)?.getCell(3);
    expect([first?.getFgColor(), first?.getBgColor()]).toEqual([9, 12]);
    for (const each of [model, viewer]) each.dispose();
  });

  it("keeps its last rows where not even its text fits", { timeout: 60_000 }, async () => {
    const [model, viewer] = await drawnAgain(full((at) => `${letters(at)}${"\u0301".repeat(9)}`));
    const last = (each: ScreenModel) => each.text().text.split("\n").at(-1)?.replaceAll("\u0301", "");
    expect(last(viewer)).toBe(last(model));
    expect(last(viewer)).toHaveLength(maxCols);
    expect(viewer.text().cursor).toEqual(model.text().cursor);
    for (const each of [model, viewer]) each.dispose();
  });
});
