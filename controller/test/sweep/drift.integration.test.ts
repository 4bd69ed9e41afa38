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

describe("a sandbox whose container somebody deletes by hand", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.open();
    await bring(world, "ready");
  });
  afterAll(() => world?.close());

  it("says that it is gone, also when that happens in the middle of work on it", async () => {
    const vmid = (await world.sandbox())?.vmid ?? 0;
    const { control } = world.emulator;
    const rule = {
      method: "POST",
      path: `/lxc/${vmid}/status/start$`,
      fault: { kind: "hold", when: "before" },
    } as const;
    const held = control.faults.add(rule);
    // As after a crash within it: Berth goes to start it again.
    await world.client.containers.stop({ node: "pve", vmid });
    await world.until("the start that is held", async () =>
      control.faults.list().some(({ hits }) => hits > 0) ? true : undefined,
    );
    await world.pct({ command: "destroy", vmid });
    control.faults.release(held);
    control.faults.clear();
    const told = await world.until("why it has failed", async () => {
      const row = await world.sandbox();
      return row?.state === "failed" ? row.error : undefined;
    });
    expect(told).toEqual({
      code: "container_missing",
      message: `The container ${vmid} is gone from Proxmox.`,
      hint: expect.stringContaining("backup"),
    });
  });
});
