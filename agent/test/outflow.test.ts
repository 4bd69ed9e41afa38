import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { limits } from "../src/pty-host/limits.ts";
import { Outflow } from "../src/pty-host/outflow.ts";

/** What Linux gives of a terminal at a time in a flood. */
const readBytes = 4095;

let nowMs: number;
/** Bytes of each flush. */
let frames: number[];
let pending: number;
let outflow: Outflow;

function read(bytes: number, afterMs: number): void {
  nowMs += afterMs;
  vi.advanceTimersByTime(afterMs);
  pending += bytes;
  outflow.grew(bytes);
}

beforeEach(() => {
  vi.useFakeTimers();
  [nowMs, pending, frames] = [1_000, 0, []];
  const flush = () => {
    frames.push(pending);
    pending = 0;
  };
  outflow = new Outflow(flush, () => nowMs);
});
afterEach(() => vi.useRealTimers());

describe("what goes out of a terminal", () => {
  it("is sent at once while it is little", () => {
    for (let key = 0; key < 20; key += 1) read(100, 1);
    expect(frames).toEqual(Array.from({ length: 20 }, () => 100));
  });

  it("is sent in frames that are all but full in a flood, however long that lasts", () => {
    for (let count = 0; count < 2_000; count += 1) read(readBytes, 0.05);
    const whole = frames.filter((bytes) => bytes > limits.frameBytes - readBytes);
    expect(Math.max(...frames)).toBeLessThanOrEqual(limits.frameBytes);
    expect(frames.length - whole.length).toBeLessThanOrEqual(3);
  });

  it("does not wait for more than two milliseconds", () => {
    for (let count = 0; count < 5; count += 1) read(readBytes, 0);
    expect(pending).toBeGreaterThan(0);
    vi.advanceTimersByTime(limits.coalesceMs);
    expect(pending).toBe(0);
  });

  it("is sent at once again when a flood is over", () => {
    for (let count = 0; count < 100; count += 1) read(readBytes, 0.05);
    read(0, 5);
    frames = [];
    read(1, 10);
    expect(frames).toEqual([1]);
  });
});
