import type { Operation } from "@berth/protocol";
import type { Fault } from "@berth/pve-emulator";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ended } from "./sweep/flows.ts";
import { World } from "./sweep/world/world.ts";

/** What the sweeps do not look at: the words of failures. And what they find by chance alone. */
describe("a template's build on a Proxmox that fails", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.open();
  });
  afterEach(async () => {
    await world.faults.clear();
    await world.forgetTemplates();
  });
  afterAll(() => world.close());

  const build = async (): Promise<Operation> => ended(world, await world.buildTemplate());
  const fails = (path: string, fault: Fault) => world.faults.add({ method: "POST", path, fault, times: 1 });
  const fire: Fault = { kind: "task", end: "fail", reason: "the disk is on fire" };

  it.each(["/status/start$", "/template$"])("says why, and leaves nothing, when the task of %s fails", async (path) => {
    await fails(path, fire);
    expect(await build()).toMatchObject({
      state: "failed",
      error: { message: expect.stringContaining("the disk is on fire"), hint: expect.any(String) },
    });
    expect(await world.facts()).toMatchObject({ containers: [], built: [], builds: [] });
  });

  it("names the privilege that the token lacks, on what, and the commands that grant it", async () => {
    await fails("/lxc$", { kind: "status", status: 403, reason: "Permission check failed (/pool/berth, VM.Allocate)" });
    expect(await build()).toMatchObject({
      state: "failed",
      error: {
        message: expect.stringContaining("lacks the privilege VM.Allocate on /pool/berth"),
        hint: expect.stringContaining("pveum acl modify /pool/berth"),
      },
    });
  });

  it("names what it cannot take away, and the commands that do", async () => {
    await fails("/lxc$", { kind: "task", end: "kill" });
    const { error } = await build();
    const [left] = (await world.facts()).containers;
    expect(error).toMatchObject({
      message: expect.stringContaining("unexpected status"),
      hint: expect.stringContaining(`pct unlock ${left?.vmid} && pct destroy ${left?.vmid}`),
    });
    for (const command of ["unlock", "destroy"] as const) await world.pct({ command, vmid: left?.vmid ?? 0 });
  });

  it("does not take the container of the build before, which is gone, for its own", async () => {
    await fails("/status/start$", fire);
    expect((await build()).state).toBe("failed");
    await fails("/lxc$", { kind: "cut", when: "before" });
    expect(await build()).toMatchObject({ state: "succeeded", error: null });
  });
});
