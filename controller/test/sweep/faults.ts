import type { Operation } from "@berth/protocol";
import type { Fault } from "@berth/pve-emulator";
import { expect } from "vitest";
import { bring, ended, type Flow } from "./flows.ts";
import { expectOneIdentity, expectSettled } from "./invariants.ts";
import { patternOf } from "./world/places.ts";
import type { World } from "./world/world.ts";

/** A call of Proxmox's that goes wrong in a flow. */
export interface FaultCase {
  readonly name: string;
  readonly flow: Flow;
  readonly method: string;
  readonly path: string;
  /** Which of the flow's calls of this kind: 1 is the first. */
  readonly number: number;
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
    faultsOn(call).map((fault) => ({
      ...call,
      name: `${flow.name}: ${call.method} ${call.path} #${call.number} ${nameOf(fault)}`,
      flow,
      fault,
      times: call.method === "GET" && hiddenFromReaders(fault) ? 4 : 1,
    })),
  );
}

/** Polls of a task are all alike. */
function isTold({ path, number }: { path: string; number: number }): boolean {
  return !path.includes("/tasks/") || number === 1;
}

function faultsOn({ method, path }: { method: string; path: string }): Fault[] {
  const startsTask = method !== "GET" && !path.endsWith("/config");
  const stale: Fault[] = path === "/cluster/resources" ? [{ kind: "stale", ms: 10_000 }] : [];
  return [...onAnyCall, ...(method === "GET" ? [] : onActingCalls), ...(startsTask ? onTasks : []), ...stale];
}

function nameOf(fault: Fault): string {
  const { kind, ...details } = fault;
  return [kind, ...Object.values(details)].join(" ");
}

/**
 * Plays a flow that a fault befalls, and asserts that it ends well, or failed with a reason and a cure that works, and
 * that nothing was done twice that may be done but once.
 */
export async function playFault(world: World, one: FaultCase): Promise<void> {
  const { flow, fault } = one;
  await bring(world, flow.from);
  const { faults, calls } = world.emulator.control;
  const firstCall = calls.since(0).at(-1)?.number ?? 0;
  const known = new Set((await tasksOf(world)).map(({ upid }) => upid));
  faults.add({
    method: one.method,
    path: patternOf(one.path),
    fault,
    // How old an answer is only shows where it is given again and again.
    ...(fault.kind === "stale" ? {} : { skip: one.number - 1, times: one.times }),
  });
  const operation = await ended(world, await flow.begin(world));
  if (fault.kind === "late") await world.clock.sleep(fault.ms);
  if (operation.state === "failed") await cure(world, flow, operation);
  else expect(operation.state, JSON.stringify(operation.error)).toBe("succeeded");
  faults.clear();
  const facts = await expectSettled(world, flow.to);
  expectOneIdentity(facts, (vmid) => world.root(vmid));
  expect(world.disks()).toEqual(facts.containers.map(({ vmid }) => vmid));
  if (operation.state === "succeeded") await expectNothingTwice(world, one, known, firstCall);
}

/** Does what the hint says, and wishes again. */
async function cure(world: World, flow: Flow, operation: Operation): Promise<void> {
  const { error } = operation;
  expect(error).toMatchObject({ code: expect.any(String), message: expect.any(String), hint: expect.any(String) });
  const { control } = world.emulator;
  const hint = error?.hint ?? "";
  // Whatever was wrong with Proxmox has been mended by the person who reads the hint; what runs for ever is still there.
  const endless = control.faults.list().some(({ fault }) => fault.kind === "task" && fault.end === "endless");
  if (!endless) control.faults.clear();
  for (const [, command, vmid] of hint.matchAll(/pct (unlock|destroy) (\d+)/g)) {
    await control.pct({ command: command === "destroy" ? "destroy" : "unlock", vmid: Number(vmid) });
  }
  for (const [upid] of hint.matchAll(/UPID:\S+:/g)) await world.client.tasks.stop(upid);
  const { state, error: still } = await ended(world, await flow.again(world));
  expect(state, `${hint} did not help: ${JSON.stringify(still)}`).toBe("succeeded");
}

function tasksOf(world: World) {
  return world.client.tasks.list("pve", { source: "all", limit: 2_000 });
}

/** Tasks that a flow needs once. Another one is right only after one that failed, or whose call was never answered. */
async function expectNothingTwice(
  world: World,
  one: FaultCase,
  known: ReadonlySet<string>,
  firstCall: number,
): Promise<void> {
  const tasks = (await tasksOf(world)).filter(({ upid }) => !known.has(upid));
  const asked = world.emulator.control.calls
    .since(firstCall)
    .filter(({ method, status }) => method !== "GET" && status === 200);
  // A call that nobody waits for any more and that acts later cannot be known of.
  const unknowable = one.fault.kind === "late" && one.fault.ms === beyondTimeoutMs;
  for (const type of ["vzclone", "resize", "vzstart", "vzshutdown", "vzstop", "vzdestroy"]) {
    const done = tasks.filter((task) => task.type === type && task.exitStatus === "OK");
    const told = `${type}: ${JSON.stringify(tasks.map(({ upid, exitStatus }) => [upid, exitStatus]))} ${JSON.stringify(asked.map(({ method, target }) => `${method} ${target}`))}`;
    expect(done.length, told).toBeLessThanOrEqual(unknowable ? 2 : 1);
  }
}
