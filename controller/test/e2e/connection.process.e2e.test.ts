import { readdir } from "node:fs/promises";
import { Scope, systemClock } from "@berth/base";
import {
  BerthError,
  type Connection,
  deleteSandbox,
  forgetConnection,
  getConnection,
  type Proposal,
  saveConnection,
} from "@berth/protocol";
import { type RunningEmulator, startEmulator } from "@berth/pve-emulator";
import { eventually, processesWithEnvironment, temporaryDirectory } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";

/** When the controller is killed: so many milliseconds after the call, in the midst of what it does, or at its answer. */
const killAfterMs = ["answered", 60, 200, 350] as const;

describe("a connection that is saved", () => {
  const scope = new Scope();
  let berth: Berth;
  let proxmox: RunningEmulator;

  beforeAll(async () => {
    const folder = await temporaryDirectory("berth-other-proxmox-");
    scope.add(folder.dispose);
    proxmox = scope.own(await startEmulator({ dataDir: folder.path, backend: "process", isolated: false }));
    berth = await startBerth();
    scope.add(() => berth.dispose());
  });
  afterAll(() => scope.dispose());

  const connection = (): Promise<Connection> => berth.client.call(getConnection, {});
  const proposal = (vlan?: number): Proposal => {
    const [tokenId = "", tokenSecret = ""] = proxmox.token.split("=");
    const { url, fingerprint, pool, storage, bridge } = proxmox;
    const more = vlan === undefined ? {} : { vlan };
    return { urls: [url], tokenId, tokenSecret, fingerprints: [fingerprint], pool, storage, bridge, ...more };
  };
  /** How many bundled ones run on the data directory. */
  const bundledOnes = async () =>
    (await processesWithEnvironment("BERTH_DATA_DIR", berth.dataDir)).filter(({ command }) =>
      command.includes(`--data ${berth.dataDir}/proxmox`),
    ).length;
  /** What is used once the controller is back. */
  const nextConnection = (isNew: (one: Connection) => boolean) =>
    eventually(
      async () => {
        try {
          const found = await connection();
          return isNew(found) ? found : undefined;
        } catch (error) {
          // It is away for a moment, and stands by for another.
          if (error instanceof BerthError && error.code !== "not_ready") throw error;
          return undefined;
        }
      },
      { what: "another Proxmox in use", timeoutMs: 30_000 },
    );

  it("is used a few seconds later, by the same process at the same address, and until it is forgotten", async () => {
    const { pid } = berth.process;
    expect((await connection()).source).toBe("bundled");
    await berth.client.call(saveConnection, { body: proposal() });
    const used = await nextConnection(({ source }) => source === "kept");
    expect(used).toMatchObject({ urls: [proxmox.url], fingerprints: [proxmox.fingerprint], pool: proxmox.pool });
    expect(await bundledOnes()).toBe(0);
    const sandbox = await berth.readySandbox({ name: "elsewhere" });
    expect(sandbox.state).toBe("ready");
    await expect(berth.client.call(forgetConnection, {})).rejects.toMatchObject({ code: "conflict" });
    const { operation } = await berth.client.call(deleteSandbox, { params: { id: sandbox.id } });
    await berth.ended(operation.id);
    await berth.client.call(forgetConnection, {});
    await nextConnection(({ source }) => source === "bundled");
    expect(berth.process.pid).toBe(pid);
    const [, secret = "?"] = proxmox.token.split("=");
    expect(`${berth.process.stdout}${berth.process.stderr}`).not.toContain(secret);
  });

  it("is the one before or the new one, whole, whenever the controller is killed, and the new one once that is answered", async () => {
    let before: number | null = null;
    for (const [index, ms] of killAfterMs.entries()) {
      const vlan = index + 1;
      const saving = berth.client.call(saveConnection, { body: proposal(vlan) });
      const cut = saving.catch(() => {});
      await (ms === "answered" ? saving : systemClock.sleep(ms));
      await berth.crash();
      await cut;
      await berth.start();
      const used = await connection();
      if (ms === "answered") expect(used.vlan).toBe(vlan);
      expect([before, vlan]).toContain(used.vlan);
      expect(used.source).toBe(used.vlan === null ? "bundled" : "kept");
      if (used.source === "kept") expect(used).toMatchObject({ urls: [proxmox.url], pool: proxmox.pool });
      // Only the one that is used is left running.
      expect(await bundledOnes()).toBe(used.source === "bundled" ? 1 : 0);
      const files = (await readdir(berth.dataDir)).filter((name) => name.startsWith("proxmox-connection"));
      expect(files).toEqual(used.source === "kept" ? ["proxmox-connection.json"] : []);
      before = used.vlan;
    }
  });
});
