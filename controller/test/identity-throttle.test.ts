import { ManualClock } from "@berth/testkit";
import { expect, test } from "vitest";
import { Throttle } from "../src/identity/throttle.ts";

test("five failures are free, and each further one doubles the wait up to a minute", async () => {
  const clock = new ManualClock();
  const throttle = new Throttle(clock);
  for (let failure = 0; failure < 5; failure += 1) expect(throttle.begin(["user admin"])).toBe(0);
  const waits: number[] = [];
  for (let failure = 5; failure < 14; failure += 1) {
    const wait = throttle.begin(["user admin"]);
    waits.push(wait);
    await clock.advance(wait);
    expect(throttle.begin(["user admin"])).toBe(0);
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000));
});

test("attempts begun at once count before any has ended", () => {
  const throttle = new Throttle(new ManualClock());
  const begun = Array.from({ length: 100 }, () => throttle.begin(["address 10.0.0.1"])).filter((wait) => wait === 0);
  expect(begun).toHaveLength(5);
});

test("a success forgets, and so does time", async () => {
  const clock = new ManualClock();
  const throttle = new Throttle(clock);
  for (let i = 0; i < 6; i += 1) throttle.begin(["a"]);
  expect(throttle.begin(["a"])).toBeGreaterThan(0);
  throttle.succeed(["a"]);
  expect(throttle.begin(["a"])).toBe(0);
  for (let i = 0; i < 6; i += 1) throttle.begin(["b"]);
  await clock.advance(16 * 60_000);
  expect(throttle.begin(["b"])).toBe(0);
});

test("waiting under one key holds the others too", () => {
  const throttle = new Throttle(new ManualClock());
  for (let i = 0; i < 5; i += 1) throttle.begin(["user admin", `address ${i}`]);
  expect(throttle.begin(["user admin", "address new"])).toBeGreaterThan(0);
  expect(throttle.begin(["address new"])).toBe(0);
});
