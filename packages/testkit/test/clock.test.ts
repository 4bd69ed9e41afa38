import { expect, test } from "vitest";
import { ManualClock } from "../src/index.ts";

test("sleeps end in the order of their times, each at its own time", async () => {
  const clock = new ManualClock(0);
  const seen: [string, number][] = [];
  const sleeper = async (name: string, ...pauses: number[]) => {
    for (const pause of pauses) {
      await clock.sleep(pause);
      seen.push([name, clock.now()]);
    }
  };
  void sleeper("a", 10, 10, 10);
  void sleeper("b", 15);
  await clock.advance(20);
  expect(seen).toEqual([
    ["a", 10],
    ["b", 15],
    ["a", 20],
  ]);
  expect(clock.now()).toBe(20);
  expect(clock.pending).toBe(1);
});

test("an aborted sleep rejects with the signal's reason and waits no longer", async () => {
  const clock = new ManualClock();
  const abort = new AbortController();
  const sleep = clock.sleep(1000, abort.signal);
  abort.abort(new Error("enough"));
  await expect(sleep).rejects.toThrow("enough");
  expect(clock.pending).toBe(0);
});
