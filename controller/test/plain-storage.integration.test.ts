import type { ClusterOptions } from "@berth/pve-emulator";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bring, ended } from "./sweep/flows.ts";
import { World } from "./sweep/world/world.ts";

const timeoutMs = 120_000;
const plain: ClusterOptions = {
  nodes: [{ name: "pve" }],
  storages: [{ storage: "local-dir", type: "dir" }],
  templates: [{ vmid: 150, node: "pve", storage: "local-dir" }],
};

describe("on storage that takes no snapshots", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.open(plain);
    await bring(world, "ready");
  }, timeoutMs);
  afterAll(() => world?.close());

  it("a snapshot is refused with its cause and cure, and the sandbox is what it was", {
    timeout: timeoutMs,
  }, async () => {
    expect(await ended(world, await world.wantOfDisk("snapshot"))).toMatchObject({
      state: "failed",
      error: {
        code: "snapshots_unsupported",
        message: expect.stringMatching(/storage .* cannot take snapshots/),
        hint: expect.stringMatching(/ZFS, LVM-thin.*stopped/),
      },
    });
    expect(await world.sandbox()).toMatchObject({ state: "ready", disk_work: null, error: null });
    const told = await world.clock.during(() =>
      world.store.db.selectFrom("events").select("data").where("type", "=", "sandbox").orderBy("seq", "desc").execute(),
    );
    expect(told[0]?.data, "whoever listens").toMatchObject({ operationId: null });
  });

  it("a copy of what runs says that it has to be stopped, and is made once it is", { timeout: timeoutMs }, async () => {
    const refused = await ended(world, await world.fork());
    expect(refused).toMatchObject({ state: "failed", error: { code: "fork_needs_stop" } });
    expect(await world.copy()).toMatchObject({
      state: "failed",
      error: { code: "fork_needs_stop", hint: expect.stringMatching(/^Stop it, and then press Start here/) },
    });
    expect(await world.sandbox(), "what was to be copied").toMatchObject({ state: "ready", error: null });

    await ended(world, await world.want("stop"));
    expect(await ended(world, await world.wantOfCopy("start"))).toMatchObject({ state: "succeeded" });
    expect(await world.copy()).toMatchObject({ state: "ready", error: null });
    expect(await world.sandbox()).toMatchObject({ state: "stopped" });
    const facts = await world.facts();
    expect(facts.containers.map(({ snapshots }) => snapshots)).toEqual([[], []]);
    world.expectIntact(facts);
  });
});
