import { setTimeout as wait } from "node:timers/promises";
import type { SeenCall } from "@berth/testkit";
import type { SandboxModule } from "../../controller/src/sandboxes/module.ts";
import { type LargeFleet, makeLargeFleet, type PretendedLinks } from "../../controller/test/large-fleet.fixture.ts";
import type { Benchmark, Measurement } from "./benchmark.ts";
import { ClusterProcess } from "./large-fleet/cluster-process.ts";
import { median } from "./statistics.ts";

const known = 1_000;
/** Half of them lost their agent, as after a reboot from inside; the others stopped by themselves. */
const changing = 10;
/** How often it is seen whether everything that a list has set off is decided and begun. */
const pollMs = 100;
const passTimeoutMs = 10_000;
/** Calls that it may take to look at a changing sandbox and to begin what its change wants. */
const maxCalls = 3;
/** From the list until nothing of its pass is left to do. */
const restMs = 2_500;
/** A controller that has seen a few changes runs compiled code; one that was just started compiles in its first passes. */
const warmUps = 5;

/** What one pass took, and whatever else the controller did since the rest after the one before. */
interface Pass {
  readonly cpuMs: number;
  readonly calls: readonly Partial<SeenCall>[];
  readonly perSandbox: readonly number[];
}

/** The controller's whole work on its sandboxes in one pass, with real database and HTTPS. */
export const reconcile: Benchmark = {
  name: "reconcile",
  about: `one reconcile pass with ${known} sandboxes known and ${changing} changing: calls of Proxmox, and CPU`,
  defaultRuns: 5,
  async run(context) {
    const fleet = await makeLargeFleet(context.scope, known);
    const { cluster, port } = await ClusterProcess.start(context.scope, {
      ...{ nodes: [fleet.node], containers: fleet.containers },
      ...fleet.keys.listener,
    });
    const { module, links } = await fleet.moduleAt(port);
    const bench = new FleetBench(fleet, cluster, module, links);
    module.start();
    await cluster.next("listed");
    await wait(restMs);
    const passes: Pass[] = [];
    for (let run = 0; run < warmUps + context.runs; run += 1) {
      context.signal.throwIfAborted();
      const pass = await bench.measure(run);
      if (run >= warmUps) passes.push(pass);
      context.note(`${Math.round(pass.cpuMs)} ms of CPU, ${told(pass.calls)}`);
    }
    return measurements(passes);
  },
};

class FleetBench {
  readonly #fleet: LargeFleet;
  readonly #cluster: ClusterProcess;
  readonly #module: SandboxModule;
  readonly #links: PretendedLinks;

  constructor(fleet: LargeFleet, cluster: ClusterProcess, module: SandboxModule, links: PretendedLinks) {
    this.#fleet = fleet;
    this.#cluster = cluster;
    this.#module = module;
    this.#links = links;
  }

  /** One pass in which ten others have changed, and then one in which they settle again. */
  async measure(run: number): Promise<Pass> {
    const indexes = Array.from({ length: changing }, (_, at) => (run * changing + at) % known);
    const ids = indexes.map((index) => this.#fleet.sandboxIds[index] ?? "");
    const vmids = indexes.map((index) => this.#fleet.containers[index]?.vmid ?? 0);
    const half = changing / 2;
    for (const id of ids) this.#links.lose(id, 11_000);
    this.#cluster.stopContainers(vmids.slice(half));
    await this.#cluster.calls();
    const before = process.cpuUsage();
    await this.#cluster.next("listed");
    const calls = await this.#callsOfPass(vmids);
    const { user, system } = process.cpuUsage(before);
    await this.#settle(ids);
    const perSandbox = vmids.map((vmid) => about(calls, vmid));
    return { cpuMs: (user + system) / 1000, calls, perSandbox };
  }

  /** Waits until everything is decided and begun; what is begun is followed for longer, and is no part of the pass. */
  async #callsOfPass(vmids: readonly number[]): Promise<Partial<SeenCall>[]> {
    const calls: Partial<SeenCall>[] = [];
    for (const deadline = performance.now() + passTimeoutMs; performance.now() < deadline; ) {
      await wait(pollMs);
      calls.push(...(await this.#cluster.calls()));
      if (isDone(calls, vmids)) return calls;
    }
    throw new Error("a pass did not end");
  }

  async #settle(ids: readonly string[]): Promise<void> {
    this.#cluster.endTasks();
    await wait(1_000);
    for (const id of ids) {
      this.#links.restore(id);
      await this.#module.arrived(id, "bench", undefined);
    }
    await this.#cluster.next("listed");
    await wait(restMs);
    const open = await this.#fleet.store.db
      .selectFrom("sandboxes")
      .select("id")
      .where("state", "!=", "ready")
      .execute();
    if (open.length > 0) throw new Error(`${open.length} sandboxes did not settle`);
  }
}

/** Those that stopped are being started, and those that lost their agent have told their address. */
function isDone(calls: readonly Partial<SeenCall>[], vmids: readonly number[]): boolean {
  return vmids.every((vmid) =>
    calls.some((call) => call.vmid === vmid && ["act", "interfaces"].includes(call.kind ?? "")),
  );
}

function about(calls: readonly Partial<SeenCall>[], vmid: number): number {
  return calls.filter((call) => call.vmid === vmid).length;
}

function told(calls: readonly Partial<SeenCall>[]): string {
  const kinds = [...new Set(calls.map(({ kind }) => kind))].sort();
  return kinds.map((kind) => `${kind} ${calls.filter((call) => call.kind === kind).length}`).join(", ");
}

function measurements(passes: readonly Pass[]): Measurement[] {
  const count = (kind: SeenCall["kind"]) =>
    passes.map(({ calls }) => calls.filter((call) => call.kind === kind).length);
  const most = passes.map(({ perSandbox }) => Math.max(...perSandbox));
  const cpu = passes.map(({ cpuMs }) => cpuMs);
  return [
    {
      name: "calls of cluster/resources in a pass",
      unit: "calls",
      value: median(count("list")),
      goal: { kind: "value", atMost: 1 },
      details: { runs: count("list"), other: count("other") },
    },
    {
      name: "calls for a changing sandbox, the most",
      unit: "calls",
      value: Math.max(...most),
      goal: { kind: "value", atMost: maxCalls },
      // What is asked of tasks that run is no part of the pass: they are followed until they end.
      details: { runs: most, task: count("task"), act: count("act") },
    },
    {
      name: "the controller's CPU in a pass",
      unit: "ms",
      value: median(cpu),
      goal: { kind: "value", atMost: 50 },
      details: { runs: cpu },
    },
  ];
}
