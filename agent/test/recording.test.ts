import { readdirSync } from "node:fs";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLog } from "../src/log.ts";
import { limits } from "../src/pty-host/limits.ts";
import { asciicast } from "../src/pty-host/recording/asciicast.ts";
import { RecordingShelf, yieldSpace } from "../src/pty-host/recording/shelf.ts";
import { OutputTimes } from "../src/pty-host/recording/times.ts";
import { decodeTimes, encodeTimes, type TimesRecord } from "../src/pty-host/recording/times-file.ts";
import { OutputRing } from "../src/pty-host/ring.ts";
import { TerminalStore } from "../src/pty-host/store.ts";
import { outputAt } from "./support/fake-pty.ts";
import { temporaryRoot } from "./support/pty-host.ts";
import { Recorded } from "./support/recorded.ts";

const size = { cols: 80, rows: 24 };
const startMs = 1_700_000_000_000;
const meta = { epoch: 1, exit: null, lost: false, title: "", ...size };

let root: ReturnType<typeof temporaryRoot>;
let nowMs: number;

beforeEach(() => {
  root = temporaryRoot();
  nowMs = startMs;
});
afterEach(() => root.remove());

/** A terminal's output and its store, without a terminal. */
class Output {
  readonly store: TerminalStore;
  ring = new OutputRing(limits.ringBytes, 1024);
  times = new OutputTimes(0, size, () => nowMs);
  epoch = 1;

  constructor(name = "t") {
    this.store = new TerminalStore(`${root.path}/${name}`);
  }

  static async open(name?: string): Promise<Output> {
    const output = new Output(name);
    await output.store.open();
    return output;
  }

  write(bytes: Uint8Array): void {
    this.times.mark(this.ring.endOffset);
    this.ring.append(bytes);
  }

  async flush(): Promise<void> {
    await this.store.appendRing(this.epoch, this.ring, this.times);
  }

  nextEpoch(): void {
    this.epoch += 1;
    this.ring = new OutputRing(limits.ringBytes, 1024);
    this.times = new OutputTimes(0, size, () => nowMs);
  }

  async recorded(store = this.store): Promise<Recorded> {
    const source = { segments: store.segments, parts: [...store.segments.all], meta: { ...meta, epoch: this.epoch } };
    const chunks: Buffer[] = [];
    for await (const chunk of asciicast(source)) chunks.push(chunk);
    return new Recorded(Buffer.concat(chunks).toString("utf8"));
  }
}

describe("a file of times", () => {
  const whole = fc.integer({ min: 0, max: 2 ** 40 });
  const sizes = fc.record({ cols: fc.integer({ min: 1, max: 1000 }), rows: fc.integer({ min: 1, max: 500 }) });
  const record: fc.Arbitrary<TimesRecord> = fc.oneof(
    fc.record({ kind: fc.constant("output" as const), offset: whole, atMs: whole }),
    fc.record({ kind: fc.constant("resize" as const), offset: whole, atMs: whole, size: sizes }),
    fc.record({ kind: fc.constant("exit" as const), offset: whole, atMs: whole, status: fc.nat(255) }),
  );
  const base = (offset: number): TimesRecord => ({ kind: "base", offset, atMs: startMs, size });
  const inOrder = fc
    .array(record, { maxLength: 30 })
    .map((records) =>
      records
        .toSorted((one, other) => one.offset - other.offset)
        .map((each, index) => ({ ...each, atMs: startMs + index * 7 })),
    );

  it("gives back what was written, in any portions", () => {
    fc.assert(
      fc.property(inOrder, fc.nat(30), (records, cut) => {
        const all = [base(records[0]?.offset ?? 0), ...records];
        const first = encodeTimes(all.slice(0, cut), { offset: 0, atMs: 0 });
        const second = encodeTimes(all.slice(cut), first.end);
        expect([...decodeTimes(Buffer.concat([first.bytes, second.bytes]), 0)]).toEqual(all);
      }),
    );
  });

  it("gives the records before the place where it is cut off, and takes any bytes", () => {
    fc.assert(
      fc.property(inOrder, fc.nat(400), fc.uint8Array({ maxLength: 40 }), (records, cut, noise) => {
        const all = [base(0), ...records];
        const { bytes } = encodeTimes(all, { offset: 0, atMs: 0 });
        const read = [...decodeTimes(bytes.subarray(0, cut), 0)];
        expect(read).toEqual(all.slice(0, read.length));
        for (const { offset, atMs } of decodeTimes(noise, 5)) {
          expect(offset).toBeGreaterThanOrEqual(5);
          expect(atMs).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });
});

describe("the times of output", () => {
  it("are one for all that comes within a few milliseconds, and few while they cannot be written", () => {
    const times = new OutputTimes(0, size, () => nowMs);
    for (let offset = 0; offset < 100; offset += 1) {
      times.mark(offset);
      nowMs += 1;
    }
    expect(times.upTo(100).map(({ offset }) => offset)).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
    times.resized(100, { cols: 1, rows: 1 });
    for (let offset = 100; offset < 10_000; offset += 1) {
      times.mark(offset);
      nowMs += 10;
    }
    const pending = times.upTo(10_000);
    expect(pending.length).toBeLessThanOrEqual(limits.pendingTimes);
    expect(pending.some(({ kind }) => kind === "resize")).toBe(true);
    expect(pending.map(({ offset }) => offset)).toEqual(pending.map(({ offset }) => offset).toSorted((a, b) => a - b));
  });
});

describe("a recording", () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant("write" as const), bytes: fc.uint8Array({ maxLength: 40 }) }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant("text" as const), text: fc.string({ unit: "grapheme" }) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat(5000) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("flush" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("resize" as const), cols: fc.integer({ min: 1, max: 200 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("large" as const), kib: fc.integer({ min: 1, max: 300 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("back" as const), ms: fc.nat(100_000) }) },
  );

  it("is the output byte for byte as text, with its times and sizes, however it was written and flushed", async () => {
    let turn = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        nowMs = startMs;
        turn += 1;
        const output = await Output.open(`t${turn}`);
        const written: Uint8Array[] = [];
        const sizes: number[] = [];
        const write = (bytes: Uint8Array) => {
          output.write(bytes);
          written.push(Uint8Array.from(bytes));
        };
        for (const each of steps) {
          if (each.do === "write") write(each.bytes);
          // Cut wherever a byte is, as a PTY's reads are.
          else if (each.do === "text") for (const byte of Buffer.from(each.text)) write(Uint8Array.of(byte));
          else if (each.do === "large") write(outputAt(0, each.kib * 1024));
          else if (each.do === "wait") nowMs += each.ms;
          else if (each.do === "back") nowMs -= each.ms;
          else if (each.do === "flush") await output.flush();
          else output.times.resized(output.ring.endOffset, { cols: sizes[sizes.push(each.cols) - 1] ?? 1, rows: 24 });
          // The ring forgets beyond its bound, which is another test's matter.
          if (output.ring.endOffset - output.store.endOffset(1) > limits.ringBytes / 2) await output.flush();
        }
        await output.flush();
        const again = new TerminalStore(`${root.path}/t${turn}`);
        await again.open();
        const recorded = await output.recorded(again);
        expect(recorded.output).toBe(new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.concat(written)));
        expect(recorded.of("m")).toEqual([]);
        expect(recorded.header.term.rows).toBe(24);
        const changed = sizes.filter((cols, index) => cols !== (sizes[index - 1] ?? 80));
        if (Buffer.concat(written).byteLength > 0) {
          expect(recorded.of("r")).toEqual(changed.map((cols) => `${cols}x24`));
        }
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  it("tells when output came, and a size where it changed", async () => {
    const output = await Output.open();
    output.write(Buffer.from("one"));
    nowMs += 1500;
    output.write(Buffer.from("two"));
    await output.flush();
    nowMs += 250;
    output.times.resized(output.ring.endOffset, { cols: 100, rows: 30 });
    nowMs += 86_400_000;
    output.write(Buffer.from("three"));
    await output.flush();
    const { header, events } = await output.recorded();
    expect(header).toMatchObject({ version: 3, timestamp: startMs / 1000, term: { cols: 80, rows: 24 } });
    expect(events).toEqual([
      [0, "o", "one"],
      [1.5, "o", "two"],
      [0.25, "r", "100x30"],
      [86_400, "o", "three"],
    ]);
  });

  it("says how much a flood overwrote before it was written, and goes on sanely", async () => {
    const output = await Output.open();
    output.write(Buffer.from("before \x1b[31"));
    await output.flush();
    const flood = outputAt(0, 3 * limits.ringBytes);
    for (let at = 0; at < flood.byteLength; at += 65_536) {
      nowMs += 1;
      output.write(flood.subarray(at, at + 65_536));
    }
    await output.flush();
    const { events, output: text } = await output.recorded();
    const missing = Number(/^(\d+) bytes are missing$/.exec(String(events.find(([, code]) => code === "m")?.[2]))?.[1]);
    expect(missing).toBeGreaterThanOrEqual(2 * limits.ringBytes);
    const kept = flood.subarray(missing);
    expect(flood[missing - 1]).toBe(0x0a);
    expect(text).toBe(`before \x1b[31\x18\x1b[m${kept.toString()}`);
  });

  it("goes on over the epochs, with times that never run backwards", async () => {
    const output = await Output.open();
    output.write(Buffer.from([0x61, 0xe2, 0x82]));
    output.times.exited(3, 7);
    await output.flush();
    // A restart with a clock that is behind.
    nowMs -= 3_600_000;
    output.nextEpoch();
    output.write(Buffer.from("€"));
    await output.flush();
    const recorded = await output.recorded();
    expect(recorded.events).toEqual([
      [0, "o", "a"],
      [0, "o", "\ufffd"],
      [0, "m", "Started anew, after it had ended with status 7"],
      [0, "o", "€"],
    ]);
  });

  it("has what was written when the host was killed before its times were", async () => {
    const output = await Output.open();
    output.write(outputAt(0, limits.segmentBytes));
    await output.flush();
    output.write(Buffer.from("the last"));
    await output.store.appendRing(1, output.ring);
    const again = new TerminalStore(`${root.path}/t`);
    await again.open();
    expect((await output.recorded(again)).output).toBe(`${outputAt(0, limits.segmentBytes).toString()}the last`);
  });

  it("is bounded, and begins with a remark where its beginning is gone", async () => {
    const shelf = new RecordingShelf(createLog("test", () => {}));
    const output = await Output.open();
    shelf.add(output.store.segments);
    const total = limits.recordingBytes + 3 * limits.ringBytes;
    nowMs = Date.now();
    for (let at = 0; at < total; at += 100_000) {
      nowMs += 20;
      output.write(outputAt(at, 100_000));
      await output.flush();
      await shelf.trim(output.store.segments);
      expect(output.store.segments.diskBytes).toBeLessThanOrEqual(limits.recordingBytes);
    }
    const { events, output: text } = await output.recorded();
    const end = output.ring.endOffset;
    const bytes = Number(/^Begins here: (\d+) bytes/.exec(String(events[0]?.[2]))?.[1]);
    expect(bytes).toBeGreaterThan(0);
    expect(text.length).toBeGreaterThan(limits.recordingBytes * 0.9);
    expect(text === `\x18\x1b[m${outputAt(bytes, end - bytes).toString()}`).toBe(true);
    const names = readdirSync(`${root.path}/t`);
    expect(names.filter((name) => name.endsWith(".times"))).toHaveLength(output.store.segments.all.length);
  });

  it("gives way to newer ones of other terminals, to its age, and to a full disk, but for the ring", async () => {
    const bounds = { recordingBytes: 8e6, allRecordingsBytes: 6e6, recordingAgeMs: 3_600_000 };
    const shelf = new RecordingShelf(
      createLog("test", () => {}),
      bounds,
    );
    const [old, recent] = [await Output.open("old"), await Output.open("recent")];
    nowMs = Date.now() - 600_000;
    for (const output of [old, recent]) {
      shelf.add(output.store.segments);
      for (let turn = 0; turn < 45; turn += 1) {
        nowMs += 100;
        output.write(outputAt(0, 100_000));
        await output.flush();
        await shelf.trim(output.store.segments);
      }
    }
    const [oldBytes, recentBytes] = [old.store.segments.diskBytes, recent.store.segments.diskBytes];
    expect(oldBytes + recentBytes).toBeLessThanOrEqual(6e6);
    expect(recentBytes).toBeGreaterThan(4.4e6);
    expect(oldBytes).toBeGreaterThan(limits.ringBytes);
    await yieldSpace(recent.store.segments);
    expect(recentBytes - recent.store.segments.diskBytes).toBeGreaterThanOrEqual(limits.yieldedBytes);
    const aged = new RecordingShelf(
      createLog("test", () => {}),
      { ...bounds, recordingAgeMs: 1000 },
    );
    for (const output of [old, recent]) {
      aged.add(output.store.segments);
      await aged.sweep();
      expect(output.store.segments.oldestSpare).toBeUndefined();
      expect((await output.store.readRing(1)).endOffset).toBe(4_500_000);
    }
  });
});
