import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { bring, ended } from "./sweep/flows.ts";
import type { Point } from "./sweep/world/lifeline.ts";
import { World } from "./sweep/world/world.ts";

describe("a sandbox that has agreed to sleep", async () => {
  const world = await World.open();
  afterAll(() => world.close());
  beforeEach(async () => {
    world.guestMishaps.usedBy = () => [];
    await bring(world, "ready");
  });

  const points = async (play: (note: (what: string) => void) => Promise<unknown>): Promise<Point[]> => {
    const passed: Point[] = [];
    world.controller.lifeline.countAnew();
    world.onPoint = (point) => {
      passed.push(point);
      return false;
    };
    await play((what) => void passed.push(what));
    world.onPoint = () => false;
    return passed;
  };

  it("stays awake where something is begun in it before Proxmox is told, which then is not", async () => {
    world.guestMishaps.usedBy = (again) => (again ? [{ kind: "job", detail: "make" }] : []);
    const passed = await points(async () => {
      const operation = await ended(world, await world.want("sleep"));
      expect(operation).toMatchObject({ state: "failed", error: { code: "in_use" } });
      expect(operation.error?.message).toContain("make");
      await world.until("it is ready", async () => ((await world.sandbox())?.state === "ready" ? true : undefined));
    });
    expect(passed.filter((point) => point.includes("/status/shutdown"))).toEqual([]);
    expect(await world.sandbox()).toMatchObject({ state: "ready", desired: "running", error: null });
  });

  it("is asked again once all else is written: nothing but the call itself comes between", async () => {
    const asked = "it was asked again";
    const passed: string[] = await points(async (note) => {
      world.guestMishaps.usedBy = (again) => {
        if (again) note(asked);
        return [];
      };
      expect(await ended(world, await world.want("sleep"))).toMatchObject({ state: "succeeded" });
    });
    const call = passed.findIndex((point) => point.startsWith("before POST") && point.includes("/status/shutdown"));
    expect(passed.slice(0, call).filter((point) => /(insert|update)/.test(point)).length).toBeGreaterThan(0);
    expect(passed[call - 1]).toBe(asked);
  });
});
