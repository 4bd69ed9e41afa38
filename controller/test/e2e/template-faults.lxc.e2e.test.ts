import { join } from "node:path";
import { getTemplate, type Operation } from "@berth/protocol";
import type { Fault } from "@berth/pve-emulator";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ProxmoxControl } from "../proxmox-control.ts";
import { type Berth, startBerth } from "./berth.ts";
import { buildEnded, buildMs, containers, startBuild } from "./template-builds.ts";

/** The calls of a build that act, in their order. */
const acting = [
  ["POST", "/aplinfo$"],
  ["POST", "/lxc$"],
  ["POST", "/status/start$"],
  ["POST", "/status/shutdown$"],
  ["PUT", "/lxc/[0-9]+/config$"],
  ["POST", "/template$"],
] as const;

describe("a template's build on a Proxmox that fails", () => {
  let berth: Berth;
  let before: number[];
  let proxmox: ProxmoxControl;
  beforeAll(async () => {
    berth = await startBerth();
    before = await containers(berth);
    proxmox = await ProxmoxControl.open(join(berth.dataDir, "proxmox"));
  }, buildMs);
  afterEach(() => proxmox.clearFaults());
  afterAll(() => berth?.dispose());

  async function built(): Promise<Operation> {
    return buildEnded(berth, await startBuild(berth));
  }

  it.each<{ name: string; fault: Fault }>([
    { name: "every call that acts loses its answer once", fault: { kind: "cut", when: "after" } },
    { name: "every call that acts is cut once before it acts", fault: { kind: "cut", when: "before" } },
    {
      name: "every call that acts is refused once with a text",
      fault: { kind: "status", status: 500, reason: "got timeout" },
    },
  ])(
    "makes one template when $name",
    async ({ fault }) => {
      for (const [method, path] of acting) await proxmox.addFault({ method, path, fault, times: 1 });
      expect(await built()).toMatchObject({ state: "succeeded", error: null });
      const made = (await containers(berth)).filter((vmid) => !before.includes(vmid));
      expect(made).toHaveLength(1);
      expect(await berth.client.call(getTemplate, {})).toMatchObject({ vmid: made[0], build: null });
      before = await containers(berth);
    },
    buildMs,
  );

  it.each([
    { path: "/status/start$", method: "POST" },
    { path: "/template$", method: "POST" },
  ])(
    "says why and leaves nothing when the task of $method $path fails",
    async ({ path, method }) => {
      await proxmox.addFault({
        method,
        path,
        fault: { kind: "task", end: "fail", reason: "the disk is on fire" },
        times: 1,
      });
      const operation = await built();
      expect(operation).toMatchObject({
        state: "failed",
        error: { message: expect.stringContaining("the disk is on fire"), hint: expect.any(String) },
      });
      expect(await containers(berth)).toEqual(before);
    },
    buildMs,
  );

  it("names the privilege that the token lacks, on what, and the commands that grant it", async () => {
    const reason = "Permission check failed (/pool/berth, VM.Allocate)";
    await proxmox.addFault({ method: "POST", path: "/lxc$", fault: { kind: "status", status: 403, reason } });
    expect(await built()).toMatchObject({
      state: "failed",
      error: {
        message: expect.stringContaining("lacks the privilege VM.Allocate on /pool/berth"),
        hint: expect.stringContaining("pveum acl modify /pool/berth"),
      },
    });
    expect(await containers(berth)).toEqual(before);
  });

  it(
    "names what it cannot take away, and the commands that do",
    async () => {
      const fault: Fault = { kind: "task", end: "kill" };
      await proxmox.addFault({ method: "POST", path: "/lxc$", fault, times: 1 });
      const operation = await built();
      const left = (await containers(berth)).filter((vmid) => !before.includes(vmid));
      expect(operation).toMatchObject({
        state: "failed",
        error: {
          message: expect.stringContaining("unexpected status"),
          hint: expect.stringContaining(`pct unlock ${left}`),
        },
      });
    },
    buildMs,
  );
});
