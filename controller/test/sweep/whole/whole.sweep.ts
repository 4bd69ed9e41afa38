import { afterAll, describe, it, vi } from "vitest";
import { type FaultCase, faultCases, isQuick, playFault } from "../faults.ts";
import { type Flow, flows } from "../flows.ts";
import { KeptWorlds } from "../kept-world.ts";
import { type KillCase, killCases } from "../kill.ts";
import { callsAmong } from "../points.ts";
import { select, selectionOf } from "../selection.ts";
import { playWholeKill, wholePointsOf } from "./whole-kill.ts";
import { WholeWorld } from "./whole-world.ts";

const selection = selectionOf(process.env, "SWEEP_WHOLE");
/** Of the flows beyond a sandbox's life: they are most of the cases, and CI plays a smaller share of them. */
const ofOthers = process.env.SWEEP_OTHERS ? selectionOf(process.env, "SWEEP_OTHERS") : selection;
const ofLife: readonly string[] = ["create", "start", "stop", "restart", "delete"];
const backend = process.env.SWEEP_BACKEND ?? "process";

/** How many are played in at once: much of a case is waiting, for a container's boot or for a lock that is left. */
const worldsAtOnce = 3;
/** Longest that a case may take, in milliseconds: a lock that a killed task leaves counts as left after three minutes. */
const caseTimeoutMs = 480_000;
vi.setConfig({ maxConcurrency: worldsAtOnce, testTimeout: caseTimeoutMs });
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

function chosen<T extends { readonly name: string; readonly flow: Flow }>(cases: readonly T[]): T[] {
  const isOfLife = ({ flow }: T) => ofLife.includes(flow.name);
  const others = cases.filter((one) => !isOfLife(one));
  return [...select(cases.filter(isOfLife), selection), ...select(others, ofOthers)];
}

describe(`the whole of Berth on ${backend}, with the seed ${selection.seed}`, () => {
  afterAll(() => kept.close());

  it.concurrent.each(chosen(kills))("ends well when the controller is killed: $name", async (one) => {
    await kept.run((world) => playWholeKill(world, one));
  });

  it.concurrent.each(chosen(faults))("takes no lasting harm: $name", async (one) => {
    await kept.run((world) => playFault(world, one));
  });
});
