import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { sshKeyPair } from "@berth/base/node";
import {
  createKey,
  createTerminal,
  getPool,
  guestPaths,
  listSandboxes,
  type Sandbox,
  terminalScreen,
  updatePool,
} from "@berth/protocol";
import { eventually } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";

describe("a sandbox that waits in the warm pool", () => {
  let berth: Berth;

  beforeAll(async () => {
    berth = await startBerth({ env: { BERTH_POOL_SIZE: "1" } });
  });
  afterAll(() => berth?.dispose());

  const poolIs = (wanted: { size: number; ready: number; filling: number }) =>
    eventually(
      async () => {
        const pool = await berth.client.call(getPool, {});
        return JSON.stringify({ ...wanted, failed: null }) === JSON.stringify(pool) ? true : undefined;
      },
      { timeoutMs: 60_000, what: `a pool of ${JSON.stringify(wanted)}` },
    );
  const read = async (sandbox: Sandbox, path: string) => readFile(join(await berth.rootOf(sandbox), path), "utf8");

  it("is in no list, becomes whose who creates one, and is replaced", async () => {
    await poolIs({ size: 1, ready: 1, filling: 0 });
    expect((await berth.client.call(listSandboxes, { query: {} })).items).toEqual([]);
    const { publicKey } = sshKeyPair(Buffer.alloc(32, 3), "somebody");
    await berth.client.call(createKey, { body: { name: "laptop", publicKey } });

    const { sandbox: asked, operation } = await berth.create({ name: "web", memoryMiB: 1024, env: { COLOUR: "blue" } });
    // No clone has an id before it is reserved: this one had it.
    expect(asked).toMatchObject({ name: "web", vmid: expect.any(Number), state: "provisioning" });
    const { steps } = await berth.ended(operation.id);
    expect(steps.find(({ name }) => name === "clone")?.startedAt).toBeNull();
    const { items } = await berth.client.call(listSandboxes, { query: {} });
    expect(items).toEqual([expect.objectContaining({ id: asked.id, state: "ready", memoryMiB: 1024, error: null })]);

    expect(await read(asked, guestPaths.authorizedKeys)).toContain(publicKey.split(" ")[1]);
    expect((await read(asked, guestPaths.hostname)).trim()).toBe("web");
    expect(await read(asked, "etc/hosts")).toMatch(/^127\.0\.1\.1\s+web$/m);
    await poolIs({ size: 1, ready: 1, filling: 0 });
  });

  it("gives its terminals the environment and the name of its owner", async () => {
    const [sandbox] = (await berth.client.call(listSandboxes, { query: {} })).items;
    const argv = ["sh", "-c", 'echo "$(hostname) $BERTH_SANDBOX $COLOUR."; sleep 60'];
    const body = { kind: "exec", argv, cols: 80, rows: 24 } as const;
    const terminal = await berth.client.call(createTerminal, { params: { id: sandbox?.id ?? "" }, body });
    await eventually(
      async () => {
        const { text } = await berth.client.call(terminalScreen, { params: { id: terminal.id } });
        return text.includes("web web blue.") ? true : undefined;
      },
      { timeoutMs: 10_000, what: "the name and the environment" },
    );
  });

  it("is gone when there are to be none, and what was taken stays", async () => {
    await berth.client.call(updatePool, { body: { size: 0 } });
    await poolIs({ size: 0, ready: 0, filling: 0 });
    const { items } = await berth.client.call(listSandboxes, { query: {} });
    expect(items).toEqual([expect.objectContaining({ name: "web", state: "ready" })]);
  });
});
