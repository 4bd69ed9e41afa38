import { join } from "node:path";
import { buildTemplate, getTemplate } from "@berth/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ProxmoxControl } from "../proxmox-control.ts";
import { type Berth, startBerth } from "./berth.ts";
import { buildEnded, containers, startBuild } from "./template-builds.ts";

describe("a template's build where containers are processes", () => {
  let berth: Berth;
  beforeAll(async () => {
    berth = await startBerth();
  });
  afterAll(() => berth.dispose());

  it("fails with the cause and the cure, and leaves nothing", async () => {
    const before = await containers(berth);
    const operation = await buildEnded(berth, await startBuild(berth));
    expect(operation).toMatchObject({
      state: "failed",
      sandboxId: null,
      error: { message: expect.stringContaining("process"), hint: expect.any(String) },
    });
    expect(await containers(berth)).toEqual(before);
    const template = await berth.client.call(getTemplate, {});
    expect(template).toMatchObject({ vmid: 150, state: "ready", build: null, lastBuild: operation.id, templates: [] });
  });

  it("answers a repeated call with the same operation, and another one with a conflict while it runs", async () => {
    const proxmox = await ProxmoxControl.open(join(berth.dataDir, "proxmox"));
    await proxmox.addFault({ method: "POST", path: "/aplinfo$", fault: { kind: "hold", when: "before" } });
    const key = { idempotencyKey: "the same" };
    const first = await berth.client.call(buildTemplate, { body: {} }, key);
    const again = await berth.client.call(buildTemplate, { body: {} }, key);
    expect(again.operation.id).toBe(first.operation.id);
    await expect(startBuild(berth)).rejects.toMatchObject({ code: "conflict" });
    await proxmox.clearFaults();
    await buildEnded(berth, first.operation);
  });
});
