import { readdir, readFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { buildTemplate, getOperation, getTemplate, type Operation } from "@berth/protocol";
import { eventually } from "@berth/testkit";
import Type from "typebox";
import { Value } from "typebox/value";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";

const buildMs = 240_000;
const factsSchema = Type.Object({ url: Type.String(), token: Type.String() });
const certificateSchema = Type.Object({ certificate: Type.String() });

/** The calls of a build that act, in their order. */
const acting = [
  ["POST", "/aplinfo$"],
  ["POST", "/lxc$"],
  ["POST", "/status/start$"],
  ["POST", "/status/shutdown$"],
  ["PUT", "/lxc/[0-9]+/config$"],
  ["POST", "/template$"],
] as const;

describe.runIf(process.env.BERTH_TEST_BACKEND === "lxc")("a template's build on a Proxmox that fails", () => {
  let berth: Berth;
  let before: string[];
  beforeAll(async () => {
    berth = await startBerth();
    before = await containers();
  }, buildMs);
  afterEach(() => faults("DELETE"));
  afterAll(() => berth?.dispose());

  const containers = () => readdir(join(berth.dataDir, "proxmox", "containers"));

  /** Sets a fault, or takes all away. */
  async function faults(method: "POST" | "DELETE", rule?: object): Promise<void> {
    const folder = join(berth.dataDir, "proxmox");
    const facts = Value.Parse(factsSchema, JSON.parse(await readFile(join(folder, "emulator.json"), "utf8")));
    const keys = Value.Parse(certificateSchema, JSON.parse(await readFile(join(folder, "certificate.json"), "utf8")));
    const body = rule ? JSON.stringify(rule) : "";
    const status = await new Promise<number>((resolve, reject) => {
      const headers = { authorization: `PVEAPIToken=${facts.token}`, "content-length": Buffer.byteLength(body) };
      const call = request(`${facts.url}/_faults`, {
        method,
        ca: keys.certificate,
        headers: { ...headers, ...(rule ? { "content-type": "application/json" } : {}) },
      });
      call.once("response", (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      call.once("error", reject);
      call.end(body);
    });
    expect(status).toBe(200);
  }

  async function built(): Promise<Operation> {
    const { operation } = await berth.client.call(buildTemplate, { body: {} });
    return eventually(
      async () => {
        const seen = await berth.client.call(getOperation, { params: { id: operation.id } });
        return seen.finishedAt ? seen : undefined;
      },
      { timeoutMs: buildMs, intervalMs: 100, what: "the end of the build" },
    );
  }

  it.each([
    { name: "every call that acts loses its answer once", fault: { kind: "cut", when: "after" } },
    { name: "every call that acts is cut once before it acts", fault: { kind: "cut", when: "before" } },
    {
      name: "every call that acts is refused once with a text",
      fault: { kind: "status", status: 500, reason: "got timeout" },
    },
  ])(
    "makes one template when $name",
    async ({ fault }) => {
      for (const [method, path] of acting) await faults("POST", { method, path, fault, times: 1 });
      expect(await built()).toMatchObject({ state: "succeeded", error: null });
      const made = (await containers()).filter((name) => !before.includes(name));
      expect(made).toHaveLength(1);
      expect(await berth.client.call(getTemplate, {})).toMatchObject({ vmid: Number(made[0]), build: null });
      before = await containers();
    },
    buildMs,
  );

  it.each([
    { path: "/status/start$", method: "POST" },
    { path: "/template$", method: "POST" },
  ])(
    "says why and leaves nothing when the task of $method $path fails",
    async ({ path, method }) => {
      await faults("POST", {
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
      expect(await containers()).toEqual(before);
    },
    buildMs,
  );

  it("names the privilege that the token lacks, on what, and the commands that grant it", async () => {
    const reason = "Permission check failed (/pool/berth, VM.Allocate)";
    await faults("POST", { method: "POST", path: "/lxc$", fault: { kind: "status", status: 403, reason } });
    expect(await built()).toMatchObject({
      state: "failed",
      error: {
        message: expect.stringContaining("lacks the privilege VM.Allocate on /pool/berth"),
        hint: expect.stringContaining("pveum acl modify /pool/berth"),
      },
    });
    expect(await containers()).toEqual(before);
  });

  it(
    "names what it cannot take away, and the commands that do",
    async () => {
      const fault = { kind: "task", end: "kill" };
      await faults("POST", { method: "POST", path: "/lxc$", fault, times: 1 });
      const operation = await built();
      const left = (await containers()).filter((name) => !before.includes(name));
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
