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
  return points.filter((point) => !/ GET /.test(point) || numberOf(point) <= maxReads);
}

/** The calls of Proxmox among them, once each: `GET /nodes/pve/lxc/{vmid}/config` and which of them. */
export function callsAmong(points: readonly Point[]): { method: string; path: string; number: number }[] {
  return points.flatMap((point) => {
    const match = /^before (\S+) (\S+) #(\d+)$/.exec(point);
    return match ? [{ method: match[1] ?? "", path: match[2] ?? "", number: Number(match[3]) }] : [];
  });
}

function numberOf(point: Point): number {
  return Number(/#(\d+)$/.exec(point)?.[1] ?? 0);
}
