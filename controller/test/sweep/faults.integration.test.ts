import { afterAll, describe, it } from "vitest";
import { type FaultCase, faultCases, playFault } from "./faults.ts";
import { flows } from "./flows.ts";
import { callsAmong, pointsOf } from "./points.ts";
import { select, selectionOf } from "./selection.ts";
import { worldsOfThisFile } from "./world/kept.ts";

const selection = selectionOf(process.env, "SWEEP_FRACTION");
const kept = worldsOfThisFile();
const cases: FaultCase[] = [];
for (const flow of flows) {
  await kept.run(async (world) => {
    cases.push(...faultCases(flow, callsAmong(await pointsOf(world, flow))));
  });
}

describe(`a Proxmox that fails, with the seed ${selection.seed}`, () => {
  afterAll(() => kept.close());

  it.concurrent.each(select(cases, selection))("does no lasting harm: $name", async (one) => {
    await kept.run((world) => playFault(world, one));
  });
});
