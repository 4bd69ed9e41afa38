import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { MemoryReturn } from "../src/pty-host/memory-return.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("collects once much was given up, in a calm moment and no sooner", () => {
  const seen = { busyShare: 0.5, collections: 0 };
  const memory = new MemoryReturn({
    busyShare: () => seen.busyShare,
    collect: () => {
      seen.collections += 1;
    },
  });
  memory.gaveUp(1000);
  vi.advanceTimersByTime(60_000);
  expect(seen.collections).toBe(0);
  for (let count = 0; count < 3; count += 1) memory.gaveUp(1024 * 1024);
  vi.advanceTimersByTime(60_000);
  expect(seen.collections).toBe(0);
  seen.busyShare = 0.01;
  vi.advanceTimersByTime(60_000);
  expect(seen.collections).toBe(1);
  expect(vi.getTimerCount()).toBe(0);
});
