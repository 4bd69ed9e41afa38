import { afterAll, describe, it, vi } from "vitest";
import { type FaultCase, faultCases, isQuick, playFault } from "../faults.ts";
import { flows } from "../flows.ts";
import { KeptWorlds } from "../kept-world.ts";
import { type KillCase, killCases } from "../kill.ts";
import { callsAmong } from "../points.ts";
import { select, selectionOf } from "../selection.ts";
import { playWholeKill, wholePointsOf } from "./whole-kill.ts";
import { WholeWorld } from "./whole-world.ts";

const selection = selectionOf(process.env, "SWEEP_WHOLE");
const backend = process.env.SWEEP_BACKEND ?? "process";

/** How many are played in at once: much of a case is waiting, for a container's boot or for a lock that is left. */
const worldsAtOnce = 3;
vi.setConfig({ maxConcurrency: worldsAtOnce });
const kept = new KeptWorlds<WholeWorld>({
  size: worldsAtOnce,
  open: () => WholeWorld.open(backend),
  log: ({ berth }) => berth.process.stdout,
});

// Processes have no root file system that an archive could become.
const played = flows.filter(({ fromDebian }) => !fromDebian || backend === "lxc");
const found = await Promise.all(played.map((flow) => kept.run((world) => wholePointsOf(world, flow))));
const kills: KillCase[] = [];
const faults: FaultCase[] = [];
for (const [index, flow] of played.entries()) {
  const points = found[index] ?? [];
  kills.push(...killCases(flow, points));
  faults.push(...faultCases(flow, callsAmong(points)).filter(isQuick));
}

describe(`the whole of Berth on ${backend}, with the seed ${selection.seed}`, () => {
  afterAll(() => kept.close());

  it.concurrent.each(select(kills, selection))("ends well when the controller is killed: $name", async (one) => {
    await kept.run((world) => playWholeKill(world, one));
  });

  it.concurrent.each(select(faults, selection))("takes no lasting harm: $name", async (one) => {
    await kept.run((world) => playFault(world, one));
  });
});
