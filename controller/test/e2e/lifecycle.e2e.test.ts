import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  BerthError,
  deleteSandbox,
  getSandbox,
  listSandboxes,
  listTerminals,
  type Operation,
  operationSteps,
  parseJson,
  restartSandbox,
  startSandbox,
  stopSandbox,
} from "@berth/protocol";
import { eventually } from "@berth/testkit";
import Type from "typebox";
import { Value } from "typebox/value";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";

/** The containers of the bundled Proxmox, without the template. */
async function containers(berth: Berth): Promise<string[]> {
  return (await readdir(join(berth.dataDir, "proxmox", "containers"))).filter((name) => name !== "150");
}

/** Kills the controller as soon as an operation has come to a step, or has ended. */
async function crashAt(berth: Berth, operation: Operation, step: string): Promise<void> {
  const abort = new AbortController();
  const response = await fetch(`${berth.url}/api/v1/operations/${operation.id}/events`, {
    headers: { authorization: `Bearer ${berth.token}` },
    signal: abort.signal,
  });
  let seen = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    seen += decoder.decode(chunk, { stream: true });
    if (seen.includes(`"name":"${step}","state":"running"`) || seen.includes("event: done")) break;
  }
  await berth.crash();
  abort.abort();
}

/** What of a sandbox's processes is to last; those of an SSH connection, by which the controller brings keys, come and go. */
const lastingProgram = /launch\.mjs|berth-agent|berth-pty-host/;

describe("a sandbox's life", () => {
  let berth: Berth;
  let spoiled = true;
  // What one test has left behind when it failed is not for the next one to fail by.
  beforeEach(async ({ onTestFailed }) => {
    if (spoiled) {
      await berth?.dispose().catch(() => {});
      berth = await startBerth();
    }
    spoiled = false;
    onTestFailed(() => {
      spoiled = true;
    });
  });
  afterAll(() => berth?.dispose());

  it("makes one container for a create that is repeated with the same key, one after the other and at once", async () => {
    const body = { name: "only-one" };
    const first = await berth.create(body, "key-1");
    const others = await Promise.all(Array.from({ length: 5 }, () => berth.create(body, "key-1")));
    for (const other of others) expect(other).toEqual(first);
    await berth.ended(first.operation.id);
    expect(await containers(berth)).toHaveLength(1);
    await expect(berth.create({ name: "another" }, "key-1")).rejects.toMatchObject({ code: "idempotency_key_reused" });
    await expect(berth.create(body)).rejects.toMatchObject({ code: "name_taken" });
  });

  it("leaves nothing behind when it is deleted", async () => {
    const sandbox = await berth.client.call(getSandbox, { params: { id: "only-one" } });
    await berth.openTerminal(sandbox.id, { kind: "shell" });
    expect((await berth.processesOf(sandbox)).length).toBeGreaterThan(2);
    const { operation } = await berth.client.call(deleteSandbox, { params: { id: sandbox.id } });
    const ended = await berth.ended(operation.id);
    expect(ended.steps.map(({ name }) => name)).toEqual(operationSteps.destroy);
    expect(await containers(berth)).toEqual([]);
    await eventually(async () => (await berth.processesOf(sandbox)).length === 0, { what: "the end of its processes" });
    expect(existsSync(berth.folderOf(sandbox))).toBe(false);
    await expect(berth.client.call(getSandbox, { params: { id: sandbox.id } })).rejects.toBeInstanceOf(BerthError);
    await expect(berth.client.call(listTerminals, { params: { id: sandbox.id }, query: {} })).rejects.toMatchObject({
      code: "not_found",
    });
  });

  it("can be made stopped, started, stopped and restarted", async () => {
    const { sandbox, operation } = await berth.create({ start: false });
    await berth.ended(operation.id);
    const state = async () => (await berth.client.call(getSandbox, { params: { id: sandbox.id } })).state;
    expect(await state()).toBe("stopped");
    await berth.ended((await berth.client.call(startSandbox, { params: { id: sandbox.id } })).operation.id);
    expect(await state()).toBe("ready");
    await berth.ended((await berth.client.call(restartSandbox, { params: { id: sandbox.id } })).operation.id);
    expect(await state()).toBe("ready");
    await berth.ended((await berth.client.call(stopSandbox, { params: { id: sandbox.id } })).operation.id);
    expect(await state()).toBe("stopped");
    await berth.ended((await berth.client.call(deleteSandbox, { params: { id: sandbox.id } })).operation.id);
  });

  it("is ended in the middle of being made, and leaves nothing", async () => {
    const { sandbox, operation } = await berth.create({});
    const { operation: destroy } = await berth.client.call(deleteSandbox, { params: { id: sandbox.id } });
    await berth.ended(destroy.id);
    expect(await containers(berth)).toEqual([]);
    const events = await (
      await fetch(`${berth.url}/api/v1/operations/${operation.id}/events`, {
        headers: { authorization: `Bearer ${berth.token}` },
      })
    ).text();
    expect(events).toContain('"state":"cancelled"');
  });

  it("is one of ten that are made at once, and of ten that are deleted while they are made", async () => {
    const made = await Promise.all(Array.from({ length: 10 }, () => berth.create()));
    await Promise.all(made.map(({ operation }) => berth.ended(operation.id)));
    expect(await containers(berth)).toHaveLength(10);
    const remove = async (id: string) => {
      const { operation } = await berth.client.call(deleteSandbox, { params: { id } });
      await berth.ended(operation.id);
    };
    await Promise.all(made.map(({ sandbox }) => remove(sandbox.id)));
    const others = await Promise.all(Array.from({ length: 10 }, () => berth.create()));
    await Promise.all(
      others.map(async ({ sandbox }, index) => {
        await new Promise((resolve) => setTimeout(resolve, index * 60));
        await remove(sandbox.id);
      }),
    );
    expect(await containers(berth)).toEqual([]);
  });

  it("comes back after an orderly stop of everything", async () => {
    const sandbox = await berth.readySandbox({ name: "survivor" });
    expect(await berth.stop(), berth.process.stderr).toBe(0);
    expect(await berth.processesOf(sandbox)).toEqual([]);
    await berth.start();
    await eventually(
      async () => (await berth.client.call(getSandbox, { params: { id: sandbox.id } })).agent.connected,
      {
        timeoutMs: 20_000,
        what: "the return of its agent",
      },
    );
    await berth.ended((await berth.client.call(deleteSandbox, { params: { id: sandbox.id } })).operation.id);
  });

  const servers: Record<string, () => Promise<number>> = {
    PostgreSQL: async () =>
      Number((await readFile(join(berth.dataDir, "postgres", "postmaster.pid"), "utf8")).split("\n")[0]),
    "the bundled Proxmox": async () => {
      const text = await readFile(join(berth.dataDir, "proxmox", "emulator.json"), "utf8");
      return Value.Parse(Type.Object({ process: Type.Object({ pid: Type.Integer() }) }), parseJson(text)).process.pid;
    },
  };
  it.each(Object.keys(servers))("goes on when %s was killed, and no process in the sandbox notices", async (name) => {
    const sandbox = await berth.readySandbox({ name: "steady" });
    const processes = async () => {
      const all = await berth.processesOf(sandbox);
      return all.filter(({ command }) => lastingProgram.test(command)).map(({ pid }) => pid);
    };
    const before = await processes();
    expect(before).not.toEqual([]);
    // By its own words: until it has noticed the loss it answers as ever, and what is asked for then may be cut off.
    const starts = () => berth.process.stderr.split("Berth is ready").length;
    const startsBefore = starts();
    const pid = (await servers[name]?.()) ?? 0;
    process.kill(pid, "SIGKILL");
    await eventually(async () => (await fetch(`${berth.url}/readyz`).catch(() => undefined))?.status !== 200, {
      timeoutMs: 10_000,
      what: `the loss of ${name}`,
    });
    const back = async () => {
      if (starts() === startsBefore) return false;
      const { agent, state } = await berth.client.call(getSandbox, { params: { id: sandbox.id } });
      return agent.connected && state === "ready";
    };
    await eventually(back, { timeoutMs: 30_000, what: "the return of the controller and the agent" });
    expect(await processes()).toEqual(before);
    await berth.ended((await berth.client.call(deleteSandbox, { params: { id: sandbox.id } })).operation.id);
  });

  it.each(operationSteps.create)(
    "makes exactly one container when the controller is killed at the step %s",
    async (step) => {
      const { sandbox, operation } = await berth.create({}, `kill-at-${step}`);
      await crashAt(berth, operation, step);
      await berth.start();
      const repeated = await berth.create({}, `kill-at-${step}`);
      expect(repeated.sandbox.id).toBe(sandbox.id);
      await berth.ended(operation.id);
      const { items } = await berth.client.call(listSandboxes, { query: {} });
      expect(items.map(({ id, state }) => [id, state])).toEqual([[sandbox.id, "ready"]]);
      expect(await containers(berth)).toHaveLength(1);
      const { operation: destroy } = await berth.client.call(deleteSandbox, { params: { id: sandbox.id } });
      await crashAt(berth, destroy, "delete");
      await berth.start();
      await berth.ended(destroy.id);
      expect(await containers(berth)).toEqual([]);
    },
  );
});
