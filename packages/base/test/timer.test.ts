import { ManualClock } from "@berth/testkit";
import { describe, expect, it } from "vitest";
import { after, every } from "../src/index.ts";

describe("an action that waits for its time", () => {
  it("runs once, when its time has come", async () => {
    const clock = new ManualClock();
    let runs = 0;
    after(clock, 100, () => {
      runs += 1;
    });
    await clock.advance(99);
    expect(runs).toBe(0);
    await clock.advance(1000);
    expect(runs).toBe(1);
  });

  it("does not run, and leaves nothing waiting, when it is called off", async () => {
    const clock = new ManualClock();
    let runs = 0;
    const callOff = after(clock, 100, () => {
      runs += 1;
    });
    callOff();
    await clock.advance(1000);
    expect([runs, clock.pending]).toEqual([0, 0]);
  });
});

describe("an action that is repeated", () => {
  it("runs each time until it is called off, also by itself", async () => {
    const clock = new ManualClock();
    let runs = 0;
    const callOff = every(clock, 100, () => {
      runs += 1;
      if (runs === 3) callOff();
    });
    await clock.advance(1000);
    expect([runs, clock.pending]).toEqual([3, 0]);
  });
});
