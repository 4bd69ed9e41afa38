import { bring, ended, type Flow } from "./flows.ts";
import { expectSettled } from "./invariants.ts";
import type { Point } from "./world/lifeline.ts";
import type { World } from "./world/world.ts";

/** How often the same question counts: what comes after is polling, and the same again. */
const maxReads = 2;

/** Runs a flow unharmed; answers the points that its controller passed, those of mere repetition left out. */
export async function pointsOf(world: World, flow: Flow): Promise<Point[]> {
  await bring(world, flow.from);
  await expectSettled(world, flow.from);
  const points: Point[] = [];
  world.controller.lifeline.countAnew();
  world.onPoint = (point) => {
    points.push(point);
    return false;
  };
  await ended(world, await flow.begin(world));
  world.onPoint = () => false;
  await expectSettled(world, flow.to);
  return withoutRepetition(points);
}

/** Without those that are mere polling. */
export function withoutRepetition(points: readonly Point[]): Point[] {
  return points.filter((point) => !/ GET /.test(point) || numberOf(point) <= maxReads);
}

/** The calls of Proxmox among them, once each: `GET /nodes/pve/lxc/{vmid}/config` and which of them. */
export function callsAmong(points: readonly Point[]): ProxmoxCall[] {
  return points.flatMap((point) => {
    const call = callAt(point);
    return call?.when === "before" ? [call] : [];
  });
}

/** A call of Proxmox's in a flow. */
export interface ProxmoxCall {
  readonly method: string;
  readonly path: string;
  /** Which of the flow's calls of this kind: 1 is the first. */
  readonly number: number;
}

/** The call that a point comes before or after; undefined for other points. */
export function callAt(point: Point): (ProxmoxCall & { when: "before" | "after" }) | undefined {
  const match = /^(before|after) ([A-Z]+) (\S+) #(\d+)$/.exec(point);
  if (!match) return undefined;
  const [, when, method = "", path = "", number] = match;
  return { when: when === "before" ? when : "after", method, path, number: Number(number) };
}

function numberOf(point: Point): number {
  return Number(/#(\d+)$/.exec(point)?.[1] ?? 0);
}
