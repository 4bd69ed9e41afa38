import type { Operation } from "@berth/protocol";
import type { Fault } from "@berth/pve-emulator";
import { expect } from "vitest";
import { bring, ended, type FaultyWorld, type Flow } from "./flows.ts";
import { expectOneBuild, expectSettled } from "./invariants.ts";
import type { ProxmoxCall } from "./points.ts";
import { patternOf } from "./world/places.ts";

/** A call of Proxmox's that goes wrong in a flow. */
export interface FaultCase extends ProxmoxCall {
  readonly name: string;
  readonly flow: Flow;
  readonly fault: Fault;
  /** How many calls in a row: as many as it takes to get through a client that asks again. */
  readonly times: number;
}

/** The client gives up after a minute: what is later than that acts when nobody waits for it any more. */
const beyondTimeoutMs = 70_000;

const onAnyCall: readonly Fault[] = [
  { kind: "status", status: 401 },
  { kind: "status", status: 403 },
  { kind: "status", status: 500 },
  { kind: "status", status: 595 },
  { kind: "status", status: 599 },
  { kind: "hang" },
  { kind: "cut", when: "before" },
  { kind: "cut", when: "body" },
  { kind: "late", ms: 20_000 },
];

/** One of each kind that a reader tells apart: refused for good, in passing, not at all. */
const onReadsOfSparse: readonly Fault[] = [
  { kind: "status", status: 403 },
  { kind: "status", status: 500 },
  { kind: "hang" },
  { kind: "cut", when: "body" },
];

/** Makes no difference to a call that only reads. */
const onActingCalls: readonly Fault[] = [
  { kind: "status", status: 596 },
  { kind: "hang", when: "after" },
  { kind: "cut", when: "after" },
  { kind: "late", ms: beyondTimeoutMs },
];

const onTasks: readonly Fault[] = (["fail", "kill", "endless"] as const).flatMap((end) =>
  (["before", "after"] as const).map((when) => ({ kind: "task", end, when }) as const),
);

/** A GET that met these is repeated three times by the client itself. */
const hiddenFromReaders = (fault: Fault) => (fault.kind === "status" && fault.status >= 595) || fault.kind === "cut";

export function faultCases(
  flow: Flow,
  calls: readonly { method: string; path: string; number: number }[],
): FaultCase[] {
  return calls.filter(isTold).flatMap((call) =>
    faultsOn(flow, call).map((fault) => ({
      ...call,
      name: `${flow.name}: ${call.method} ${call.path} #${call.number} ${nameOf(fault)}`,
      flow,
      fault,
      times: call.method === "GET" && hiddenFromReaders(fault) ? 4 : 1,
    })),
  );
}

/** Polls of a task are all alike. */
function isTold({ path, number }: ProxmoxCall): boolean {
  return !path.includes("/tasks/") || number === 1;
}

function faultsOn({ sparse }: Flow, { method, path, number }: ProxmoxCall): readonly Fault[] {
  if (sparse && method === "GET") return number === 1 ? onReadsOfSparse : [];
  const startsTask = method !== "GET" && !path.endsWith("/config");
  const stale: Fault[] = path === "/cluster/resources" ? [{ kind: "stale", ms: 10_000 }] : [];
  return [...onAnyCall, ...(method === "GET" ? [] : onActingCalls), ...(startsTask ? onTasks : []), ...stale];
}

/** Whether a fault shows itself within minutes, by a clock that cannot be hurried: a lock that is left counts after three. */
export function isQuick({ fault }: FaultCase): boolean {
  if (fault.kind === "task") return fault.end !== "endless";
  return fault.kind !== "hang" && (fault.kind !== "late" || fault.ms < beyondTimeoutMs);
}

function nameOf(fault: Fault): string {
  const { kind, ...details } = fault;
  return [kind, ...Object.values(details)].join(" ");
}

/**
 * Plays a flow that a fault befalls, and asserts that it ends well, or failed with a reason and a cure that works, and
 * that nothing was done twice that may be done but once.
 */
export async function playFault(world: FaultyWorld, one: FaultCase): Promise<void> {
  const { flow, fault } = one;
  await bring(world, flow.from);
  const before = {
    tasks: new Set((await tasksOf(world)).map(({ upid }) => upid)),
    begun: await world.sandboxesBegun(),
    untouched: flow.untouched?.(await world.facts()),
  };
  await world.faults.add({
    method: one.method,
    path: patternOf(one.path),
    fault,
    // How old an answer is only shows where it is given again and again.
    ...(fault.kind === "stale" ? {} : { skip: one.number - 1, times: one.times }),
  });
  const operation = await ended(world, await flow.begin(world));
  expectOneBuild((await tasksOf(world)).filter(({ upid }) => !before.tasks.has(upid)));
  if (fault.kind === "late") await world.sleep(fault.ms);
  if (operation.state === "failed") await cure(world, one, operation);
  else expect(operation.state, JSON.stringify(operation.error)).toBe("succeeded");
  await world.faults.clear();
  const facts = await expectSettled(world, flow.to);
  world.expectIntact(facts);
  expect(flow.untouched?.(facts)).toEqual(before.untouched);
  if (operation.state === "succeeded") await expectNothingTwice(world, one, before);
}

/** Does what the hint says, and wishes again. */
async function cure(world: FaultyWorld, { flow, fault }: FaultCase, { error }: Operation): Promise<void> {
  expect(error).toMatchObject({ code: expect.any(String), message: expect.any(String), hint: expect.any(String) });
  const hint = error?.hint ?? "";
  // Whoever reads the hint has mended what was wrong with Proxmox; but a task without an end is still there.
  if (fault.kind !== "task" || fault.end !== "endless") await world.faults.clear();
  for (const [, command, vmid] of hint.matchAll(/pct (unlock|destroy) (\d+)/g)) {
    await world.pct({ command: command === "destroy" ? "destroy" : "unlock", vmid: Number(vmid) });
  }
  for (const [upid] of hint.matchAll(/UPID:\S+:/g)) await world.client.tasks.stop(upid);
  // What goes on by itself is waited for, as a refusal would say.
  await world.until("nothing under way", async () => ((await world.facts()).underWay.length === 0 ? true : undefined));
  if (flow.isDone?.(await world.facts())) return;
  const { state, error: still } = await ended(world, await flow.again(world));
  expect(state, `${hint} did not help: ${JSON.stringify(still)}`).toBe("succeeded");
}

function tasksOf(world: FaultyWorld) {
  return world.client.tasks.list("pve", { source: "all", limit: 2_000 });
}

/**
 * Tasks that a sandbox needs once are there once: nothing was asked for again that was on its way or done. Only the warm
 * pool replaces what fails by another sandbox, and then each has its own.
 */
async function expectNothingTwice(
  world: FaultyWorld,
  { fault }: FaultCase,
  before: { readonly tasks: ReadonlySet<string>; readonly begun: number },
): Promise<void> {
  const tasks = (await tasksOf(world)).filter(({ upid }) => !before.tasks.has(upid));
  const sandboxes = Math.max(1, (await world.sandboxesBegun()) - before.begun);
  // A call that nobody waits for any more and that acts later cannot be known of.
  const unknowable = fault.kind === "late" && fault.ms === beyondTimeoutMs ? 1 : 0;
  for (const type of [
    "vzclone",
    "resize",
    "vzstart",
    "vzshutdown",
    "vzstop",
    "vzdestroy",
    "vzsnapshot",
    "vzcreate",
    "vztemplate",
  ]) {
    const done = tasks.filter((task) => task.type === type && task.exitStatus === "OK");
    const told = `${type}: ${JSON.stringify(tasks.map(({ upid, exitStatus }) => [upid, exitStatus]))}`;
    expect(done.length, told).toBeLessThanOrEqual(sandboxes + unknowable);
  }
}
