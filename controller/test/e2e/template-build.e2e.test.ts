import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  buildTemplate,
  Client,
  cancelOperation,
  getOperation,
  getSandbox,
  getTemplate,
  login,
  type Operation,
  type Sandbox,
} from "@berth/protocol";
import { normaliseFingerprint, ProxmoxClient } from "@berth/proxmox";
import { eventually } from "@berth/testkit";
import Type from "typebox";
import { Value } from "typebox/value";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadFleetKeys } from "../../src/fleet/keys.ts";
import { describeTemplate, readTemplateMark } from "../../src/templates/mark.ts";
import { type Berth, startBerth } from "./berth.ts";

const onLxc = process.env.BERTH_TEST_BACKEND === "lxc";
/** A build sends half a gigabyte and boots twice; other tests run beside it. */
const buildMs = 240_000;

/** The containers that the bundled Proxmox has, templates among them. */
async function containers(berth: Berth): Promise<number[]> {
  const names = await readdir(join(berth.dataDir, "proxmox", "containers"));
  return names
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

async function build(berth: Berth): Promise<Operation> {
  return (await berth.client.call(buildTemplate, { body: {} })).operation;
}

function operationOf(berth: Berth, id: string): Promise<Operation> {
  return berth.client.call(getOperation, { params: { id } });
}

function ended(berth: Berth, { id }: Operation): Promise<Operation> {
  return eventually(
    async () => {
      const seen = await operationOf(berth, id);
      return seen.finishedAt ? seen : undefined;
    },
    { timeoutMs: buildMs, intervalMs: 100, what: "the end of the build" },
  );
}

/** Waits until a step of the operation runs, or is past. */
function reaches(berth: Berth, { id }: Operation, step: string): Promise<unknown> {
  return eventually(
    async () => {
      const seen = await operationOf(berth, id);
      if (seen.state === "failed") throw new Error(`the build failed: ${JSON.stringify(seen.error)}`);
      return seen.steps.some(({ name, state }) => name === step && state !== "pending");
    },
    { timeoutMs: buildMs, intervalMs: 20, what: `the step ${step}` },
  );
}

/** The bundled Proxmox, with the controller's own token. */
async function proxmoxOf(berth: Berth): Promise<ProxmoxClient> {
  const text = await readFile(join(berth.dataDir, "proxmox", "emulator.json"), "utf8");
  const { url, token, fingerprint } = Value.Parse(emulatorFacts, JSON.parse(text));
  const [id = "", secret = ""] = token.split("=");
  return new ProxmoxClient({
    urls: [url],
    credentials: { kind: "token", id, secret },
    trust: { kind: "fingerprint", fingerprints: [normaliseFingerprint(fingerprint)] },
  });
}

const emulatorFacts = Type.Object({ url: Type.String(), token: Type.String(), fingerprint: Type.String() });

describe.runIf(!onLxc)("a template's build where containers are processes", () => {
  let berth: Berth;
  beforeAll(async () => {
    berth = await startBerth();
  });
  afterAll(() => berth.dispose());

  it("fails with the cause and the cure, and leaves nothing", async () => {
    const before = await containers(berth);
    const operation = await ended(berth, await build(berth));
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
    const key = { idempotencyKey: "the same" };
    const first = await berth.client.call(buildTemplate, { body: {} }, key);
    const again = await berth.client.call(buildTemplate, { body: {} }, key);
    expect(again.operation.id).toBe(first.operation.id);
    const seen = await operationOf(berth, first.operation.id);
    if (!seen.finishedAt) await expect(build(berth)).rejects.toMatchObject({ code: "conflict" });
    await ended(berth, first.operation);
  });
});

describe.runIf(onLxc)("a template's build", () => {
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
    const operation = await build(berth);
    await expect(build(berth)).rejects.toMatchObject({ code: "conflict" });
    await reaches(berth, operation, "send");
    await berth.client.call(cancelOperation, { params: { id: operation.id } });
    expect((await ended(berth, operation)).state).toBe("cancelled");
    expect(await containers(berth)).toEqual(before);
    expect(await template()).toMatchObject({ vmid: 150, build: null, templates: [] });
  });

  it(
    "goes on wherever the controller is killed, and makes one template, from which sandboxes are cloned then",
    async () => {
      const before = await containers(berth);
      const operation = await build(berth);
      for (const step of ["create", "start", "send", "provision", "convert"]) {
        await reaches(berth, operation, step);
        await berth.crash();
        await berth.start();
      }
      expect(await ended(berth, operation)).toMatchObject({ state: "succeeded", error: null });
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
