import type { DiskOperationKind } from "@berth/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bring, ended, type Standing } from "./flows.ts";
import { expectSettled } from "./invariants.ts";
import { patternOf } from "./world/places.ts";
import { World } from "./world/world.ts";

/** Which of the looks at the container comes after the work is not the same in every run: all of them are refused once. */
const looks = [1, 2, 3, 4, 5];

const works: { kind: DiskOperationKind; from: Standing; to: Standing }[] = [
  { kind: "snapshot", from: "ready", to: "kept" },
  { kind: "delete_snapshot", from: "kept", to: "ready" },
];

describe("work on a disk that is done", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.open();
  });
  afterAll(() => world.close());

  const config = patternOf("/nodes/pve/lxc/{vmid}/config");

  it.each(works.flatMap((work) => looks.map((number) => ({ ...work, number }))))(
    "stays done when the look after it is refused: $kind, look $number",
    async ({ kind, from, to, number }) => {
      await bring(world, from);
      const fault = { kind: "status", status: 403 } as const;
      await world.faults.add({ method: "GET", path: config, fault, skip: number - 1, times: 1 });
      const { state, error } = await ended(world, await world.wantOfDisk(kind));
      await world.faults.clear();
      if (state === "succeeded") return void (await expectSettled(world, to));
      // Then it was refused before anything was done, and the same wish is a new one.
      expect(
        (await world.facts()).containers.map(({ snapshots }) => snapshots.length),
        JSON.stringify(error),
      ).toEqual([from === "kept" ? 1 : 0]);
      expect(await ended(world, await world.wantOfDisk(kind))).toMatchObject({ state: "succeeded" });
      await expectSettled(world, to);
    },
  );
});
