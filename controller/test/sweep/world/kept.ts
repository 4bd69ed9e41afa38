import { vi } from "vitest";
import { KeptWorlds } from "../kept-world.ts";
import { World } from "./world.ts";

/** How many worlds one test process plays in at once: they share its event loop, and with it the quiet of their clocks. */
const atOnce = 3;
/** Longer than a world waits for anything (`limits` of the world), so that it is the world that says what did not come. */
const caseTimeoutMs = 300_000;

/** Worlds in this process, for the cases of one file. Called once, before its tests are declared. */
export function worldsOfThisFile(): KeptWorlds<World> {
  vi.setConfig({ maxConcurrency: atOnce, testTimeout: caseTimeoutMs, hookTimeout: caseTimeoutMs });
  return new KeptWorlds({ size: atOnce, open: () => World.open(), log: (world) => world.controller.log() });
}
