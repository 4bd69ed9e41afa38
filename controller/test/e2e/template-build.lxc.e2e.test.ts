import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Client, cancelOperation, getSandbox, getTemplate, login, type Sandbox } from "@berth/protocol";
import { eventually } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadFleetKeys } from "../../src/fleet/keys.ts";
import { describeTemplate, readTemplateMark } from "../../src/templates/mark.ts";
import { type Berth, startBerth } from "./berth.ts";
import { buildEnded, buildMs, containers, proxmoxOf, reaches, startBuild } from "./template-builds.ts";

describe("a template's build", () => {
  let berth: Berth;
  let old: Sandbox;
  beforeAll(async () => {
    berth = await startBerth();
    old = await berth.readySandbox({ name: "old" });
  }, buildMs);
  afterAll(() => berth?.dispose());

  const template = () => berth.client.call(getTemplate, {});

  it("that is cancelled leaves nothing, and nothing is changed", async () => {
    const before = await containers(berth);
    const operation = await startBuild(berth);
    await expect(startBuild(berth)).rejects.toMatchObject({ code: "conflict" });
    await reaches(berth, operation, "send");
    await berth.client.call(cancelOperation, { params: { id: operation.id } });
    expect((await buildEnded(berth, operation)).state).toBe("cancelled");
    expect(await containers(berth)).toEqual(before);
    expect(await template()).toMatchObject({ vmid: 150, build: null, templates: [] });
  });

  it(
    "goes on wherever the controller is killed, and makes one template, from which sandboxes are cloned then",
    async () => {
      const before = await containers(berth);
      const operation = await startBuild(berth);
      for (const step of ["create", "start", "send", "provision", "convert"]) {
        await reaches(berth, operation, step);
        await berth.crash();
        await berth.start();
      }
      expect(await buildEnded(berth, operation)).toMatchObject({ state: "succeeded", error: null });
      const made = (await containers(berth)).filter((vmid) => !before.includes(vmid));
      expect(made).toHaveLength(1);
      expect(await template()).toMatchObject({
        vmid: made[0],
        state: "ready",
        outdated: false,
        build: null,
        lastBuild: operation.id,
        templates: [{ vmid: made[0], current: true, sandboxes: 0 }],
      });
      const { version, latestVersion } = await template();
      expect(version).toBe(latestVersion);
    },
    buildMs * 2,
  );

  it("leaves the sandboxes of the old template as they are", async () => {
    const seen = await berth.client.call(getSandbox, { params: { id: old.id } });
    expect(seen).toMatchObject({ state: "ready", vmid: old.vmid, address: old.address });
    await eventually(async () => (await berth.client.call(getSandbox, { params: { id: old.id } })).agent.connected, {
      timeoutMs: 30_000,
      what: "the old sandbox's agent",
    });
  });

  it("makes sandboxes whose agent reports and in which Claude is", async () => {
    const sandbox = await berth.readySandbox({ name: "new" });
    expect(sandbox.agent.connected).toBe(true);
    expect((await template()).templates).toMatchObject([{ sandboxes: 1 }]);
    const { id } = await berth.openTerminal(sandbox.id, { kind: "exec", argv: ["claude", "--version"] });
    const screen = async () =>
      await (
        await fetch(`${berth.url}/api/v1/terminals/${id}/screen`, {
          headers: { authorization: `Bearer ${berth.token}` },
        })
      ).text();
    await eventually(async () => (await screen()).includes("Claude Code"), {
      timeoutMs: 30_000,
      what: "Claude's version",
    });
  });

  it("is called old when this Berth would put something else into it", async () => {
    const { vmid, latestVersion } = await template();
    const keys = await loadFleetKeys(berth.dataDir);
    const client = await proxmoxOf(berth);
    const at = { node: "pve", vmid };
    const mark = readTemplateMark(keys, (await client.containers.config(at)).description, vmid);
    if (mark.kind !== "ours") throw new Error(`the template's mark is ${mark.kind}`);
    const rewrite = (version: string) =>
      client.containers.configure(at, { description: describeTemplate(keys, { ...mark.statement, version }) });
    await rewrite("an-older-one");
    // What was read of it a moment ago is believed for ten seconds.
    await eventually(async () => (await template()).outdated, { timeoutMs: 20_000, what: "the template to be old" });
    expect(await template()).toMatchObject({ version: "an-older-one", latestVersion, state: "ready" });
    await rewrite(mark.statement.version);
    await client[Symbol.asyncDispose]();
  });

  it("is found again after the database was lost", async () => {
    const { vmid, latestVersion: version } = await template();
    await berth.stop();
    await rm(join(berth.dataDir, "postgres"), { recursive: true });
    await berth.start();
    const anonymous = new Client({ baseUrl: berth.url });
    const password = berth.env.BERTH_ADMIN_PASSWORD ?? "";
    const { token } = await anonymous.call(login, { body: { username: "admin", password } });
    const found = await new Client({ baseUrl: berth.url, token }).call(getTemplate, {});
    expect(found).toMatchObject({ vmid, version, state: "ready", templates: [{ vmid, current: true }] });
  });
});
