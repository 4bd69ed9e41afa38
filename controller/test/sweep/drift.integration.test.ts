import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bring, ended } from "./flows.ts";
import { expectSettled } from "./invariants.ts";
import { World } from "./world/world.ts";

describe("a sandbox whose container somebody changes by hand", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.open();
    await bring(world, "ready");
  });
  afterAll(() => world?.close());

  const at = async () => ({ node: "pve", vmid: (await world.sandbox())?.vmid ?? 0 });
  const drift = async () => (await world.sandbox())?.drift ?? [];
  const config = async () => world.client.containers.config(await at());

  it("says so, and leaves it as it is", async () => {
    await world.client.containers.configure(await at(), { cores: 7, protection: true });
    const told = await world.until("the drift", async () => ((await drift()).length > 0 ? drift() : undefined));
    expect(told).toEqual([
      { setting: "cores", wanted: 2, found: 7 },
      { setting: "protection", wanted: false, found: true },
    ]);
    expect(await world.sandbox()).toMatchObject({ state: "ready", error: null, cores: 2 });
    expect(await config()).toMatchObject({ cores: 7, protection: true });
  });

  it("is as it is wanted again when that is changed in Berth", async () => {
    await ended(world, await world.change());
    expect(await drift()).toEqual([]);
    expect(await config()).toMatchObject({ cores: 3, protection: false });
    world.expectIntact(await expectSettled(world, "ready"));
  });

  it("forgets the drift when somebody takes it back", async () => {
    await world.client.containers.configure(await at(), { memoryMiB: 1024 });
    await world.until("the drift", async () => ((await drift()).length > 0 ? true : undefined));
    await world.client.containers.configure(await at(), { memoryMiB: 2048 });
    await world.until("its end", async () => ((await drift()).length === 0 ? true : undefined));
  });
});
