import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bring } from "./flows.ts";
import { expectSettled } from "./invariants.ts";
import { World } from "./world/world.ts";

describe("a sandbox whose agent did not find its controller", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.open();
    await bring(world, "ready");
  });
  afterAll(() => world?.close());

  const secrets = async () => {
    const { agent_secret_hash, former_agent_secret_hashes } = (await world.sandbox()) ?? {};
    return [agent_secret_hash, ...(former_agent_secret_hashes ?? [])];
  };
  const connected = () =>
    world.until("the agent's return", () => world.controller.log().includes("agent connected") || undefined);

  it("is ready again with the secret that it has, though every bootstrap since was cut", async () => {
    const [first] = await secrets();
    Object.assign(world.guestMishaps, { away: true, cutsBootstraps: true });
    await world.restart();
    await world.until("a bootstrap that is cut", async () => ((await secrets()).length > 1 ? true : undefined));
    world.guestMishaps.away = false;
    await connected();
    expect(await secrets()).toContain(first);
    world.expectIntact(await expectSettled(world, "ready"));
  });

  it("is ready by a bootstrap that gets through, after which no other secret than its own is valid", async () => {
    Object.assign(world.guestMishaps, { away: true, cutsBootstraps: false });
    const before = await secrets();
    await world.restart();
    await world.until("a bootstrap", async () => ((await secrets())[0] === before[0] ? undefined : true));
    world.guestMishaps.away = false;
    await connected();
    world.expectIntact(await expectSettled(world, "ready"));
    await world.until("one secret", async () => ((await secrets()).length === 1 ? true : undefined));
  });
});
