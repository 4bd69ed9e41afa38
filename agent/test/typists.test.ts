import { expect, test } from "vitest";
import { limits } from "../src/pty-host/limits.ts";
import { Typists } from "../src/pty-host/typists.ts";

test("somebody types elsewhere for a moment after a key in another terminal, also when keys go to both", () => {
  let nowMs = 0;
  const typists = new Typists(() => nowMs);
  const [one, other] = [{}, {}];
  expect(typists.isElsewhere(one)).toBe(false);
  typists.typed(one);
  expect([typists.isElsewhere(one), typists.isElsewhere(other)]).toEqual([false, true]);
  nowMs += limits.typingMs / 2;
  typists.typed(other);
  expect([typists.isElsewhere(one), typists.isElsewhere(other)]).toEqual([true, true]);
  nowMs += limits.typingMs / 2;
  expect([typists.isElsewhere(one), typists.isElsewhere(other)]).toEqual([true, false]);
  nowMs += limits.typingMs;
  expect(typists.isElsewhere(one)).toBe(false);
});
