import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { deleteSandbox, getOperation, listSandboxes, type Operation, type Sandbox } from "@berth/protocol";
import { eventually } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";

/** As many as real containers can be on a small machine, and as many processes. */
const many = process.env.BERTH_TEST_BACKEND === "lxc" ? 20 : 30;
const timeoutMs = 300_000;

describe("many sandboxes at once", () => {
  let berth: Berth;
  beforeAll(async () => {
    berth = await startBerth();
  });
  afterAll(() => berth?.dispose());

  /** How operations ended, once they all have. */
  const ended = (operations: readonly Operation[]): Promise<Operation[]> =>
    Promise.all(
      operations.map(({ id }) =>
        eventually(
          async () => {
            const operation = await berth.client.call(getOperation, { params: { id } });
            return operation.finishedAt === null ? undefined : operation;
          },
          { timeoutMs, intervalMs: 500, what: `the end of ${id}` },
        ),
      ),
    );
  const createAll = () => Promise.all(Array.from({ length: many }, () => berth.create()));
  const remove = async ({ id }: Sandbox) => (await berth.client.call(deleteSandbox, { params: { id } })).operation;
  /** The containers of the bundled Proxmox, without the template. */
  const containers = async () =>
    (await readdir(join(berth.dataDir, "proxmox", "containers"))).filter((name) => name !== "150");
  const notSucceeded = (operations: readonly Operation[]) =>
    operations.filter(({ state }) => state !== "succeeded").map(({ kind, state, error }) => ({ kind, state, error }));

  it("all become ready, and all are deleted", { timeout: 2 * timeoutMs }, async () => {
    const made = await createAll();
    expect(notSucceeded(await ended(made.map(({ operation }) => operation)))).toEqual([]);
    const { items } = await berth.client.call(listSandboxes, { query: { limit: 100 } });
    expect(items.map(({ state, agent }) => [state, agent.connected])).toEqual(made.map(() => ["ready", true]));
    expect(new Set(items.map(({ vmid }) => vmid)).size).toBe(many);
    expect(new Set(items.map(({ address }) => address)).size).toBe(many);
    expect(await containers()).toHaveLength(many);
    const removals = await Promise.all(made.map(({ sandbox }) => remove(sandbox)));
    expect(notSucceeded(await ended(removals))).toEqual([]);
    expect(await containers()).toEqual([]);
  });

  it("leave nothing when they are deleted in the middle of being made", { timeout: 2 * timeoutMs }, async () => {
    const made = await createAll();
    const atStep = async ({ id }: Operation, step: string) => {
      const { steps, finishedAt } = await berth.client.call(getOperation, { params: { id } });
      return finishedAt !== null || steps.find(({ name }) => name === step)?.state !== "pending";
    };
    // Each at another step, so that every one of them is interrupted several times.
    const interrupted = ["reserve", "clone", "configure", "start", "address", "bootstrap", "agent"];
    const removals = await Promise.all(
      made.map(async ({ sandbox, operation }, index) => {
        const step = interrupted[index % interrupted.length] ?? "clone";
        await eventually(() => atStep(operation, step), {
          timeoutMs,
          intervalMs: 20,
          what: `${step} of ${sandbox.name}`,
        });
        return remove(sandbox);
      }),
    );
    expect(notSucceeded(await ended(removals))).toEqual([]);
    for (const { state } of await ended(made.map(({ operation }) => operation))) {
      expect(["cancelled", "succeeded"]).toContain(state);
    }
    expect(await containers()).toEqual([]);
    expect((await berth.client.call(listSandboxes, { query: {} })).items).toEqual([]);
  });
});
