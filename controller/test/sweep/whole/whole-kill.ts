import type { Operation } from "@berth/protocol";
import { expect } from "vitest";
import { bring, ended, type Flow } from "../flows.ts";
import { expectSettled } from "../invariants.ts";
import type { KillCase } from "../kill.ts";
import { callAt, withoutRepetition } from "../points.ts";
import type { Point } from "../world/lifeline.ts";
import { normalisePath, patternOf } from "../world/places.ts";
import type { WholeWorld } from "./whole-world.ts";

/** Calls that readiness and the fleet's watch make by themselves. */
const notOfFlows = new Set(["GET /version"]);

/** Runs a flow unharmed; answers the points at which its controller can be killed: calls of Proxmox's, and steps. */
export async function wholePointsOf(world: WholeWorld, flow: Flow): Promise<Point[]> {
  await bring(world, flow.from);
  await expectSettled(world, flow.from);
  const before = (await world.proxmox.callsSince(0)).at(-1)?.number ?? 0;
  const operation = await ended(world, await flow.begin(world));
  const calls = await world.proxmox.callsSince(before);
  const counts = new Map<string, number>();
  const points = calls.flatMap(({ method, target }) => {
    const place = `${method} ${normalisePath(target)}`;
    if (notOfFlows.has(place)) return [];
    const count = (counts.get(place) ?? 0) + 1;
    counts.set(place, count);
    return [`before ${place} #${count}`, `after ${place} #${count}`];
  });
  await expectSettled(world, flow.to);
  const steps = operation.steps.filter(({ state }) => state === "succeeded").map(({ name }) => `step ${name}`);
  return [...withoutRepetition(points), ...steps];
}

/** Plays a flow whose controller is killed with SIGKILL; answers whether the point was reached. */
export async function playWholeKill(world: WholeWorld, { flow, point }: KillCase): Promise<boolean> {
  await bring(world, flow.from);
  const reached = await watchFor(world, point);
  const before = await world.lastOperation();
  const { end, wished } = flow.asksAtOnce
    ? await endOfWish(world, flow, reached)
    : { end: await endOf(world, await flow.begin(world), reached), wished: undefined };
  // What is held is let go only when nobody is there any more who made the call.
  if (end === "killed") await world.restart(() => world.proxmox.clearFaults());
  await world.proxmox.clearFaults();
  // Whoever wished may have asked the next controller, and is not to come in between later.
  await wished;
  const operation = await world.lastOperation();
  // A wish that was killed before it was written down never was one.
  if (!operation || operation.id === before?.id) return end === "killed";
  const { state, error } = await ended(world, operation);
  expect(state, JSON.stringify(error)).toBe("succeeded");
  await expectSettled(world, flow.to);
  return end === "killed";
}

type Reached = (now: Operation | undefined) => Promise<boolean>;

/** Waits until the point is reached, or the operation has ended before. */
function endOf(world: WholeWorld, { id }: Operation, reached: Reached): Promise<"killed" | "ended"> {
  return world.until("the kill or the end", async () => {
    const now = await world.operation(id);
    if (await reached(now)) return "killed";
    return now.finishedAt === null ? undefined : "ended";
  });
}

/** The same where the wish itself may be what waits at the point. `wished` resolves when it has ended, however that is. */
async function endOfWish(
  world: WholeWorld,
  flow: Flow,
  reached: Reached,
): Promise<{ end: "killed" | "ended"; wished: Promise<unknown> }> {
  const wish: { operation?: Operation; refusal?: unknown } = {};
  const wished = flow.begin(world).then(
    (operation) => Object.assign(wish, { operation }),
    (refusal: unknown) => Object.assign(wish, { refusal }),
  );
  const end = await world.until("the kill or the end", async () => {
    const now = wish.operation && (await world.operation(wish.operation.id));
    if (await reached(now)) return "killed";
    if (wish.refusal !== undefined) throw wish.refusal;
    return now && now.finishedAt !== null ? "ended" : undefined;
  });
  return { end, wished };
}

/** Has Proxmox hold the call of a point; answers what tells whether the point is reached. */
async function watchFor(world: WholeWorld, point: Point): Promise<Reached> {
  const call = callAt(point);
  if (!call)
    return async (now) => (now?.steps ?? []).some(({ name, state }) => `step ${name}` === point && state === "running");
  const { method, path, number, when } = call;
  const rule = { method, path: patternOf(path), fault: { kind: "hold", when }, skip: number - 1, times: 1 } as const;
  const id = await world.proxmox.addFault(rule);
  return async () => (await world.proxmox.hitsOf(id)) > 0;
}
