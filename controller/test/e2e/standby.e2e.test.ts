import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildTemplate, Client, getOperation, getSandbox, getTemplate } from "@berth/protocol";
import { eventually, type SpawnedProcess, spawnProcess, type TestDatabase, testDatabase } from "@berth/testkit";
import Type from "typebox";
import { Value } from "typebox/value";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, prepareBerth, startBerth } from "./berth.ts";

const program = fileURLToPath(new URL("../../dist/main.mjs", import.meta.url));
const proxmoxSchema = Type.Object({ url: Type.String(), fingerprint: Type.String(), token: Type.String() });

describe("a second controller on the same database", () => {
  let database: TestDatabase;
  let first: Berth;
  let second: Berth;
  let secondProcess: SpawnedProcess | undefined;

  beforeAll(async () => {
    database = await testDatabase();
    first = await startBerth({ env: { DATABASE_URL: database.url } });
    const facts = await readFile(join(first.dataDir, "proxmox", "emulator.json"), "utf8");
    const { url, fingerprint, token } = Value.Parse(proxmoxSchema, JSON.parse(facts));
    const [PROXMOX_TOKEN_ID = "", PROXMOX_TOKEN_SECRET = ""] = token.split("=");
    second = await prepareBerth({
      env: {
        DATABASE_URL: database.url,
        PROXMOX_URL: url,
        PROXMOX_FINGERPRINT: fingerprint,
        PROXMOX_TOKEN_ID,
        PROXMOX_TOKEN_SECRET,
        PROXMOX_POOL: "sandboxes",
        BERTH_AGENT_PORT: first.env.BERTH_AGENT_PORT ?? "",
      },
    });
  });
  afterAll(async () => {
    await secondProcess?.stop();
    await second?.dispose();
    await first?.dispose();
    await database?.dispose();
  });

  const run = () => spawnProcess({ command: process.execPath, args: [program], env: second.env });
  const readiness = async () => (await fetch(`${second.url}/readyz`)).status;

  it("is refused if it has the keys of another fleet", async () => {
    const stranger = run();
    expect((await stranger.exited).code).toBe(1);
    expect(stranger.stderr).toMatch(/belongs to the fleet [0-9a-f]{16}.*keys/);
  });

  it("stands by while the first one works, and answers that it does", async () => {
    await cp(join(first.dataDir, "keys"), join(second.dataDir, "keys"), { recursive: true });
    secondProcess = run();
    await secondProcess.waitForLine("standing by", 20_000);
    expect(await readiness()).toBe(503);
    const call = new Client({ baseUrl: second.url, token: first.token }).call(getSandbox, { params: { id: "any" } });
    await expect(call).rejects.toMatchObject({ code: "not_ready" });
  });

  it("takes over within ten seconds when the first one dies, and the agents come to it", async () => {
    const sandbox = await first.readySandbox({ name: "handed-over" });
    await first.crash();
    await eventually(async () => (await readiness()) === 200, { timeoutMs: 10_000, what: "the take-over" });
    const client = new Client({ baseUrl: second.url, token: first.token });
    await eventually(
      async () => {
        const { agent, state } = await client.call(getSandbox, { params: { id: sandbox.id } });
        return agent.connected && state === "ready";
      },
      { timeoutMs: 30_000, what: "the agent at the second controller" },
    );
  });

  it("requires of a template on a Proxmox that is named what the bundled one may go without", async () => {
    const client = new Client({ baseUrl: second.url, token: first.token });
    const { skipped } = await client.call(getTemplate, {});
    const { operation } = await client.call(buildTemplate, { body: {} });
    const { state, error } = await eventually(
      async () => {
        const now = await client.call(getOperation, { params: { id: operation.id } });
        return now.finishedAt === null ? undefined : now;
      },
      { timeoutMs: 150_000, intervalMs: 500, what: "the end of the build" },
    );
    // Where the machine reached the internet when it made its Debian, nothing is missing.
    if (skipped.length === 0) return expect([state, error]).toEqual(["succeeded", null]);
    expect(state).toBe("failed");
    expect(error).toMatchObject({ code: "template_provision_failed", hint: expect.any(String) });
    expect(error?.message).toMatch(/https:\/\/(download\.docker|github)\.com cannot be reached/);
  }, 180_000);
});
