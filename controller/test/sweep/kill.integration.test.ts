import { afterAll, describe, expect, it } from "vitest";
import { flows } from "./flows.ts";
import { type KillCase, killCases, playKill } from "./kill.ts";
import { pointsOf } from "./points.ts";
import { select, selectionOf } from "./selection.ts";
import { worldsOfThisFile } from "./world/kept.ts";

const selection = selectionOf(process.env, "SWEEP_FRACTION");
const kept = worldsOfThisFile();
const cases: KillCase[] = [];
for (const flow of flows) {
  await kept.run(async (world) => {
    cases.push(...killCases(flow, await pointsOf(world, flow)));
  });
}

describe(`a controller that is killed, with the seed ${selection.seed}`, () => {
  let missed = 0;
  afterAll(() => kept.close());

  it.concurrent.each(select(cases, selection))("ends well: $name", async (one) => {
    await kept.run(async (world) => {
      if (!(await playKill(world, one))) missed += 1;
    });
  });

  it("was killed at nearly every point that was recorded", () => {
    // How often is polled, and what is logged meanwhile, is not the same in every run.
    expect(missed).toBeLessThanOrEqual(Math.ceil(cases.length / 10));
  });
});
