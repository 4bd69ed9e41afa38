import { afterAll, describe, it } from "vitest";
import { type FaultCase, faultCases, isQuick, playFault } from "../faults.ts";
import { flows } from "../flows.ts";
import { type KillCase, killCases } from "../kill.ts";
import { callsAmong } from "../points.ts";
import { select, selectionOf } from "../selection.ts";
import { playWholeKill, wholePointsOf } from "./whole-kill.ts";
import { WholeWorld } from "./whole-world.ts";

const selection = selectionOf(process.env, "SWEEP_WHOLE");
const backend = process.env.SWEEP_BACKEND ?? "process";

let kept: WholeWorld | undefined;

/** Runs a case; a world in which one failed is not used again. */
async function run(play: (world: WholeWorld) => Promise<unknown>): Promise<void> {
  kept ??= await WholeWorld.open(backend);
  const world = kept;
  try {
    await play(world);
  } catch (error) {
    const words = world.berth.process.stdout.split("\n").slice(-25).join("\n");
    kept = undefined;
    await world.close();
    const what = error instanceof Error ? error.message : String(error);
    throw new Error(`${what}\nThe controller's last words:\n${words}`, { cause: error });
  }
}

const kills: KillCase[] = [];
const faults: FaultCase[] = [];
for (const flow of flows) {
  await run(async (world) => {
    const points = await wholePointsOf(world, flow);
    kills.push(...killCases(flow, points));
    faults.push(...faultCases(flow, callsAmong(points)).filter(isQuick));
  });
}

describe(`the whole of Berth on ${backend}, with the seed ${selection.seed}`, () => {
  afterAll(() => kept?.close());

  it.each(select(kills, selection))("ends well when the controller is killed: $name", (one) =>
    run((world) => playWholeKill(world, one)),
  );

  it.each(select(faults, selection))("takes no lasting harm: $name", (one) => run((world) => playFault(world, one)));
});
