import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { temporaryDirectory } from "@berth/testkit";
import { type LargeFleet, makeLargeFleet } from "../../controller/test/large-fleet.fixture.ts";
import { fleetToken } from "../../controller/test/large-fleet-agents.fixture.ts";
import type { BenchContext, Benchmark, Measurement } from "./benchmark.ts";
import { FleetController } from "./large-fleet/fleet-controller.ts";
import { startHosts } from "./large-fleet/hosts-process.ts";
import { median } from "./statistics.ts";
import { cpuMs, peakResidentBytes, residentBytes } from "./terminals/process-usage.ts";
import { requireBuilt } from "./whole-berth.ts";

const sandboxes = 500;
const hosts = 3;
const perMinute = 50;
const resting = perMinute / 2;
const goals = { megabytes: 250, cpuPercent: 10 } as const;
/** Creates that are asked for at once. */
const atOnce = 8;
const madeTimeoutMs = 900_000;
const settleMs = 10_000;
const minuteMs = 60_000;

/**
 * Many sandboxes on some hosts, of which some sleep and wake all the time. They are made by the controller itself,
 * from stand-ins of containers and agents: it is its own share that is measured.
 */
export const rotate: Benchmark = {
  name: "rotate",
  about: `${sandboxes} sandboxes on ${hosts} hosts, ${perMinute} of them a minute put to sleep and woken: CPU and memory`,
  defaultRuns: 3,
  async run(context) {
    requireBuilt();
    const fleet = await makeLargeFleet(context.scope, 0);
    const controller = await startController(context, fleet);
    const names = await fill(context, fleet, controller);
    for (const name of names.slice(0, resting)) await controller.post(`/sandboxes/${name}/sleep`);
    await wait(settleMs);
    const minutes: { cpuPercent: number; bytes: number }[] = [];
    for (let run = 0; run < context.runs; run += 1) minutes.push(await turn(context, controller, names, run));
    const peak = await peakResidentBytes(controller.pid);
    return measurements(minutes, peak);
  },
};

async function startController({ scope }: BenchContext, fleet: LargeFleet): Promise<FleetController> {
  const folder = await temporaryDirectory("berth-bench-hosts-");
  scope.add(folder.dispose);
  const { nodes, token, pool } = await startHosts(scope, {
    ...{ dataDir: join(folder.path, "proxmox"), hosts, memoryBytes: 1024 ** 4 },
  });
  const [tokenId = "", tokenSecret = ""] = token.split("=");
  const settings = {
    PROXMOX_URL: nodes.map(({ url }) => url).join(","),
    PROXMOX_FINGERPRINT: nodes.map(({ fingerprint }) => fingerprint).join(","),
    ...{ PROXMOX_TOKEN_ID: tokenId, PROXMOX_TOKEN_SECRET: tokenSecret, PROXMOX_POOL: pool },
    BERTH_TEMPLATE_VMID: nodes.map((_, index) => String(150 + index)).join(","),
    // What plays the agents has no programs that could be brought up to date.
    BERTH_AGENT_UPDATES: "off",
  };
  const controller = await FleetController.prepare(scope, { fleet, settings, token: await fleetToken(fleet) });
  await controller.start();
  return controller;
}

/** Makes the sandboxes; answers their names when all are ready. */
async function fill(
  { note, signal }: BenchContext,
  fleet: LargeFleet,
  controller: FleetController,
): Promise<readonly string[]> {
  const names = Array.from({ length: sandboxes }, (_, index) => `sandbox-${index}`);
  const queue = [...names];
  const work = async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      await controller.post("/sandboxes", { name });
    }
  };
  const begun = performance.now();
  await Promise.all(Array.from({ length: atOnce }, work));
  for (let told = 0; ; ) {
    signal.throwIfAborted();
    const states = await fleet.store.db.selectFrom("sandboxes").select(["state", "error"]).execute();
    const failed = states.find(({ state }) => state === "failed");
    if (failed) throw new Error(`a sandbox failed: ${failed.error?.message}`);
    const ready = states.filter(({ state }) => state === "ready").length;
    if (ready - told >= 100) note(`${ready} sandboxes are ready`);
    if (ready - told >= 100) told = ready;
    if (ready === sandboxes) return names;
    if (performance.now() - begun > madeTimeoutMs) throw new Error(`only ${ready} of ${sandboxes} became ready`);
    await wait(1_000);
  }
}

/** One minute in which so many fall asleep, and wake half a minute later: `resting` of them sleep at any time. */
async function turn(
  { note, signal }: BenchContext,
  controller: FleetController,
  names: readonly string[],
  run: number,
): Promise<{ cpuPercent: number; bytes: number }> {
  const before = { cpuMs: await cpuMs(controller.pid), atMs: performance.now() };
  const everyMs = minuteMs / perMinute;
  for (let index = 0; index < perMinute; index += 1) {
    signal.throwIfAborted();
    const turn = run * perMinute + index;
    await controller.post(`/sandboxes/${names[(turn + resting) % names.length]}/sleep`);
    await controller.post(`/sandboxes/${names[turn % names.length]}/wake`);
    await wait(Math.max(0, before.atMs + (index + 1) * everyMs - performance.now()));
  }
  const cpuPercent = ((await cpuMs(controller.pid)) - before.cpuMs) / ((performance.now() - before.atMs) / 100);
  const bytes = await residentBytes(controller.pid);
  note(`${cpuPercent.toFixed(2)} % of a core, ${Math.round(bytes / 1e6)} MB`);
  return { cpuPercent, bytes };
}

function measurements(minutes: readonly { cpuPercent: number; bytes: number }[], peakBytes: number): Measurement[] {
  const cpu = minutes.map(({ cpuPercent }) => cpuPercent);
  const memory = minutes.map(({ bytes }) => bytes / 1e6);
  return [
    {
      ...{ name: `CPU of the controller, ${perMinute} a minute asleep and awake`, unit: "%", value: median(cpu) },
      ...{ goal: { kind: "value", atMost: goals.cpuPercent }, details: { runs: cpu } },
    },
    {
      ...{ name: `its memory with ${sandboxes} sandboxes`, unit: "MB", value: median(memory) },
      ...{ goal: { kind: "value", atMost: goals.megabytes }, details: { runs: memory } },
    },
    {
      ...{ name: "its memory at most, since it made them all", unit: "MB", value: peakBytes / 1e6 },
      details: { runs: [peakBytes / 1e6] },
    },
  ];
}
