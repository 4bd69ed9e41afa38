import { eventually, ManualClock } from "@berth/testkit";
import { expect, test } from "vitest";
import { keepHouse } from "../src/store/housekeeping.ts";

test("chores are done now and each hour, whatever one of them does", async () => {
  const clock = new ManualClock();
  const stop = new AbortController();
  const told: string[] = [];
  const running = keepHouse(
    {
      broken: async () => {
        throw new Error("no");
      },
      events: async () => 3,
      nothing: async () => 0,
    },
    clock,
    stop.signal,
    { removed: (chore, rows) => told.push(`${chore} ${rows}`), failed: (chore) => told.push(`${chore} failed`) },
  );
  await eventually(() => clock.pending === 1);
  expect(told).toEqual(["broken failed", "events 3"]);
  await clock.advance(60 * 60_000);
  await eventually(() => told.length === 4);
  stop.abort();
  await running;
});
