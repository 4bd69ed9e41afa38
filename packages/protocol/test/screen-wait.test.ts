import { Value } from "typebox/value";
import { describe, expect, it } from "vitest";
import {
  BerthError,
  type ScreenWaitQuery,
  screenWait,
  screenWaitLimits,
  screenWaitParamsSchema,
  screenWaitQuerySchema,
} from "../src/index.ts";

const timeoutMs = screenWaitLimits.defaultTimeoutMs;

describe("the query of a wait", () => {
  it.each<[ScreenWaitQuery, object | undefined]>([
    [{}, undefined],
    [{ waitFor: "text:READY" }, { condition: { text: "READY" }, timeoutMs }],
    [{ waitFor: "text:text:a.*b\n$ " }, { condition: { text: "text:a.*b\n$ " }, timeoutMs }],
    [
      { waitFor: "text:idle:500", timeoutMs: 0 },
      { condition: { text: "idle:500" }, timeoutMs: 0 },
    ],
    [
      { waitFor: "idle:500", timeoutMs: 60_000 },
      { condition: { idleMs: 500 }, timeoutMs: 60_000 },
    ],
    [
      { waitFor: "text:x", since: "2:1234" },
      { condition: { text: "x" }, timeoutMs, since: { epoch: 2, offset: 1234 } },
    ],
  ])("%j is read", (query, expected) => {
    expect(Value.Check(screenWaitQuerySchema, query)).toBe(true);
    const wait = screenWait("trm_a", query);
    expect(wait).toEqual(expected && { terminalId: "trm_a", ...expected });
    if (wait) expect(Value.Check(screenWaitParamsSchema, wait)).toBe(true);
  });

  it("has counts that stay within what can be counted", () => {
    const wait = screenWait("trm_a", { waitFor: "text:x", since: "9999999999999999:9999999999999999" });
    expect(Value.Check(screenWaitParamsSchema, wait)).toBe(true);
  });

  it.each<ScreenWaitQuery>([
    { timeoutMs: 5 },
    { since: "1:1" },
    { waitFor: "idle:5", since: "1:1" },
    { waitFor: "idle:60001" },
  ])("%j makes no sense", (query) => {
    expect(Value.Check(screenWaitQuerySchema, query)).toBe(true);
    expect(() => screenWait("trm_a", query)).toThrow(BerthError);
  });

  it.each([
    { waitFor: "READY" },
    { waitFor: "text:" },
    { waitFor: "idle:" },
    { waitFor: "idle:1.5" },
    { waitFor: "regex:x" },
    { waitFor: `text:${"x".repeat(1025)}` },
    { timeoutMs: 60_001 },
    { timeoutMs: -1 },
    { since: "1" },
    { since: "-1:0" },
  ])("%j has no form", (query) => {
    expect(Value.Check(screenWaitQuerySchema, query)).toBe(false);
  });
});
