import { operationSteps, type Step } from "@berth/protocol";
import { describe, expect, it } from "vitest";
import { allDone, failedAt, givenUp, stepBegun } from "../src/operations/progress.ts";

const now = new Date("2026-01-01T00:00:00Z");
const pending: Step[] = operationSteps.create.map((name) => ({
  name,
  state: "pending",
  progress: null,
  detail: null,
  startedAt: null,
  finishedAt: null,
}));
const states = (steps: Step[]) => steps.map(({ state }) => state);

describe("the steps of an operation", () => {
  it("succeed when a later one begins, and are skipped if they never began", () => {
    const cloning = stepBegun(stepBegun(pending, "reserve", null, now), "clone", null, now);
    expect(states(cloning).slice(0, 3)).toEqual(["succeeded", "running", "pending"]);
    expect(states(stepBegun(pending, "start", null, now)).slice(0, 4)).toEqual([
      "skipped",
      "skipped",
      "skipped",
      "running",
    ]);
  });

  it("go back to pending when an earlier one is done again", () => {
    const again = stepBegun(stepBegun(pending, "address", null, now), "start", null, now);
    expect(states(again).slice(3, 5)).toEqual(["running", "pending"]);
  });

  it("keep when they began, however often they are told of", () => {
    const first = stepBegun(pending, "clone", "a", now);
    const second = stepBegun(first, "clone", "b", new Date(now.getTime() + 5_000));
    expect(second[1]).toMatchObject({ startedAt: now.toISOString(), detail: "b" });
  });

  it("end with the last one done, or at the one that failed", () => {
    expect(states(allDone(stepBegun(pending, "agent", null, now), now)).slice(-3)).toEqual([
      "succeeded",
      "skipped",
      "succeeded",
    ]);
    const failed = failedAt(stepBegun(pending, "clone", null, now), "clone", { code: "x", message: "no room" }, now);
    expect(failed[1]).toMatchObject({ state: "failed", detail: "no room" });
    expect(failed[2]?.state).toBe("pending");
  });

  it("run no more once the operation is given up", () => {
    const given = givenUp(stepBegun(stepBegun(pending, "reserve", null, now), "clone", "a", now, 0.4), now);
    expect(states(given).slice(0, 3)).toEqual(["succeeded", "skipped", "pending"]);
    expect(given[1]).toMatchObject({ detail: "cancelled", progress: 0.4, finishedAt: now.toISOString() });
  });
});
