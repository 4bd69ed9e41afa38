import type { Use } from "@berth/protocol";
import { describe, expect, it } from "vitest";
import { Activities } from "../src/sleep/activities.ts";
import { decide, sleepAfterMs, tellUses, workAmong } from "../src/sleep/decide.ts";

const minute = 60_000;
const use = (kind: Use["kind"], detail?: string): Use => (detail === undefined ? { kind } : { kind, detail });

describe("a sandbox", () => {
  it("is to sleep when nothing has used it for so long", () => {
    const activity = { uses: [], idleSince: 0 };
    expect(decide(activity, 20 * minute, 20 * minute - 1)).toEqual({
      kind: "idle",
      since: 0,
      sleepsAt: 20 * minute,
      due: false,
    });
    expect(decide(activity, 20 * minute, 20 * minute)).toMatchObject({ due: true });
  });

  it("never is while something uses it, or where it is not to", () => {
    const uses = [use("claude-waiting")];
    expect(decide({ uses, idleSince: 0 }, minute, 1e12)).toEqual({ kind: "in-use", uses });
    expect(decide({ uses: [], idleSince: 0 }, undefined, 1e12)).toMatchObject({ kind: "idle", due: false });
  });

  it("has a time of its own, or the fleet's", () => {
    expect(sleepAfterMs(null, 5)).toBe(5);
    expect(sleepAfterMs(3, 5)).toBe(3 * minute);
    expect(sleepAfterMs("off", 5)).toBeUndefined();
    expect(sleepAfterMs(null, undefined)).toBeUndefined();
  });

  it("is put to sleep by a person who looks at it, but not while work would be cut", () => {
    expect(workAmong([use("viewer"), use("ssh"), use("output")])).toEqual([]);
    const work = [
      use("claude"),
      use("claude-waiting"),
      use("program", "make"),
      use("job"),
      use("container"),
      use("sync"),
    ];
    expect(workAmong([use("viewer"), ...work])).toEqual(work);
  });

  it("says why it is awake without what could harm a terminal", () => {
    expect(tellUses([use("claude"), use("program", "\x1b[2Jvi")])).toBe(
      "Claude works, a program has a terminal (?[2Jvi)",
    );
  });
});

describe("the use of a sandbox", () => {
  const clock = { now: () => now, sleep: () => Promise.reject(new Error("nothing sleeps here")) };
  let now = 1_000;

  it("is not known before its agent has said it, nor when that has gone", () => {
    const activities = new Activities(clock);
    activities.touch("sbx_1");
    expect(activities.of("sbx_1")).toBeUndefined();
    activities.tell("sbx_1", { uses: [], idleMs: 400 });
    expect(activities.of("sbx_1")).toEqual({ uses: [], idleSince: 1_000 });
    activities.departed("sbx_1");
    expect(activities.of("sbx_1")).toBeUndefined();
  });

  it("is that in it and that from outside, until the last of both has ended", () => {
    const activities = new Activities(clock);
    activities.tell("sbx_1", { uses: [use("ssh")], idleMs: 0 });
    const [first, second] = [activities.hold("sbx_1", "ssh"), activities.hold("sbx_1", "ssh")];
    expect(activities.of("sbx_1")?.uses).toEqual([use("ssh")]);
    activities.tell("sbx_1", { uses: [], idleMs: 5_000 });
    first();
    first();
    expect(activities.of("sbx_1")?.uses).toEqual([use("ssh")]);
    now = 9_000;
    second();
    expect(activities.of("sbx_1")).toEqual({ uses: [], idleSince: 9_000 });
  });
});
