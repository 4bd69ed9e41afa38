import type { PushPolicy } from "@berth/protocol";
import { afterAll, describe, expect, it } from "vitest";
import { bring } from "./sweep/flows.ts";
import { World } from "./sweep/world/world.ts";

describe("what a copy of a sandbox may push", async () => {
  const world = await World.open();
  afterAll(() => world.close());

  it.each<[PushPolicy, PushPolicy]>([
    ["none", "none"],
    ["own", "own"],
    ["own-rewrite", "own"],
    ["any", "own"],
  ])("is, of one that may push %s: %s", async (source, copy) => {
    await bring(world, "ready");
    await world.store.db.updateTable("sandboxes").set({ git_push: source }).execute();
    await world.fork();
    expect((await world.copy())?.git_push).toBe(copy);
    const settled = async () => ((await world.copy())?.state === "ready" ? true : undefined);
    await world.until("the copy is ready", settled);
  });
});
