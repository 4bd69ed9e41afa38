import { readdir, readFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { deleteSandbox, getOperation, getSandbox, type Operation, startSandbox, stopSandbox } from "@berth/protocol";
import { eventually } from "@berth/testkit";
import Type, { type Static } from "typebox";
import { Value } from "typebox/value";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";

const proxmoxSchema = Type.Object({ url: Type.String(), token: Type.String() });

/** What can befall a call: its answer lost after it acted, its connection cut before, a refusal with a text. */
const faults = [
  { kind: "cut", when: "after" },
  { kind: "cut", when: "before" },
  { kind: "status", status: 500, reason: "no space left on device" },
  { kind: "status", status: 599 },
] as const;

/** Calls that act, by what of a sandbox's life they belong to. */
const making = [
  ["POST", "/clone$"],
  ["PUT", "/lxc/[0-9]+/config$"],
  ["POST", "/status/start$"],
] as const;
const unmaking = [
  ["POST", "/status/(stop|shutdown)$"],
  ["DELETE", "/lxc/[0-9]+"],
] as const;

const cases = (calls: readonly (readonly [string, string])[]) =>
  calls.flatMap(([method, path]) =>
    faults.map((fault) => ({ method, path, fault, name: `${method} ${path} ${JSON.stringify(fault)}` })),
  );

describe("a Proxmox that fails once", () => {
  let berth: Berth;
  let proxmox: Static<typeof proxmoxSchema>;
  let certificate: string;
  beforeAll(async () => {
    berth = await startBerth();
    const folder = join(berth.dataDir, "proxmox");
    proxmox = Value.Parse(proxmoxSchema, JSON.parse(await readFile(join(folder, "emulator.json"), "utf8")));
    const keys: unknown = JSON.parse(await readFile(join(folder, "certificate.json"), "utf8"));
    certificate = Value.Parse(Type.Object({ certificate: Type.String() }), keys).certificate;
  });
  afterEach(() => faultCall("DELETE"));
  afterAll(() => berth.dispose());

  /** Sets a fault, or takes all away. */
  function faultCall(method: "POST" | "DELETE", rule?: object): Promise<number> {
    return new Promise((resolve, reject) => {
      const body = rule ? JSON.stringify(rule) : "";
      const call = request(`${proxmox.url}/_faults`, {
        method,
        ca: certificate,
        headers: {
          authorization: `PVEAPIToken=${proxmox.token}`,
          "content-length": Buffer.byteLength(body),
          ...(rule ? { "content-type": "application/json" } : {}),
        },
      });
      call.once("response", (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      call.once("error", reject);
      call.end(body);
    });
  }

  const containers = async () =>
    (await readdir(join(berth.dataDir, "proxmox", "containers"))).filter((name) => name !== "150");

  /** The end of an operation, whatever it is. */
  const settled = (operation: Operation) =>
    eventually(
      async () => {
        const seen = await berth.client.call(getOperation, { params: { id: operation.id } });
        return seen.finishedAt ? seen : undefined;
      },
      { timeoutMs: 60_000, intervalMs: 50, what: "the end of the operation" },
    );

  /** A failure has to say what happened and what to do; doing it has to work. */
  async function cure(operation: Operation, again: () => Promise<Operation>): Promise<void> {
    const ended = await settled(operation);
    if (ended.state === "succeeded") return;
    expect(ended).toMatchObject({ state: "failed", error: { message: expect.any(String), hint: expect.any(String) } });
    await berth.ended((await again()).id);
  }

  it.each(cases(making))("makes exactly one container when it befalls $name", async ({ method, path, fault }) => {
    expect(await faultCall("POST", { method, path, fault, times: 1 })).toBe(200);
    const { sandbox, operation } = await berth.create();
    const id = sandbox.id;
    await cure(operation, async () => (await berth.client.call(startSandbox, { params: { id } })).operation);
    expect((await berth.client.call(getSandbox, { params: { id } })).state).toBe("ready");
    expect(await containers()).toHaveLength(1);
    await berth.ended((await berth.client.call(deleteSandbox, { params: { id } })).operation.id);
    expect(await containers()).toEqual([]);
  });

  it.each(cases(unmaking))(
    "stops, deletes and leaves nothing when it befalls $name",
    async ({ method, path, fault }) => {
      const { id } = await berth.readySandbox();
      expect(await faultCall("POST", { method, path, fault, times: 2 })).toBe(200);
      const stop = async () => (await berth.client.call(stopSandbox, { params: { id } })).operation;
      await cure(await stop(), stop);
      expect((await berth.client.call(getSandbox, { params: { id } })).state).toBe("stopped");
      const remove = async () => (await berth.client.call(deleteSandbox, { params: { id } })).operation;
      await cure(await remove(), remove);
      expect(await containers()).toEqual([]);
    },
  );
});
