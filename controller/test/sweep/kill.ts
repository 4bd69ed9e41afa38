import type { Operation } from "@berth/protocol";
import { expect } from "vitest";
import { bring, ended, type Flow } from "./flows.ts";
import { expectSettled } from "./invariants.ts";
import type { Point } from "./world/lifeline.ts";
import type { World } from "./world/world.ts";

/** A controller that is killed at one point of a flow. */
export interface KillCase {
  readonly name: string;
  readonly flow: Flow;
  readonly point: Point;
}

export function killCases(flow: Flow, points: readonly Point[]): KillCase[] {
  return points
    .filter((point) => !flow.sparse || tells(point))
    .map((point) => ({ name: `${flow.name}: ${point}`, flow, point }));
}

/** Before a reading it is as after what came before, and a line of a log changes nothing. */
function tells(point: Point): boolean {
  return !point.startsWith("before GET ") && !point.startsWith("after insert events ");
}

/**
 * Plays a flow whose controller is killed at the point, has another one go on, and asserts that all ends well. Answers
 * whether the point was reached: a poll may come once less than in the run that was recorded.
 */
export async function playKill(world: World, { flow, point }: KillCase): Promise<boolean> {
  await bring(world, flow.from);
  const before = await world.lastOperation();
  const untouched = flow.untouched?.(await world.facts());
  const { lifeline } = world.controller;
  lifeline.countAnew();
  world.onPoint = (passed) => passed === point;
  const begun = await Promise.race([
    flow.begin(world),
    world.until("the kill", async () => lifeline.dead || undefined),
  ]);
  const end = await world.until("the kill or the end", async () => {
    if (lifeline.dead) return "killed";
    return begun !== true && (await world.operation(begun.id)).finishedAt ? "ended" : undefined;
  });
  world.onPoint = () => false;
  if (end === "killed") await world.restart();
  const operation = begun === true ? await world.lastOperation() : begun;
  await expectDone(world, flow, operation?.id === before?.id ? undefined : operation);
  expect(flow.untouched?.(await world.facts())).toEqual(untouched);
  return end === "killed";
}

/** A wish that was killed before it was written down never was one. */
async function expectDone(world: World, flow: Flow, operation: Operation | undefined): Promise<void> {
  if (!operation) {
    // How many are to be in the pool may stand there already.
    if (flow.to === "pooled") await world.keepPool(0);
    return;
  }
  const { state, error } = await ended(world, operation);
  expect(state, JSON.stringify(error)).toBe("succeeded");
  world.expectIntact(await expectSettled(world, flow.to));
}
