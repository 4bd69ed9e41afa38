import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { identifyProcess } from "@berth/base/node";
import { eventually, type TemporaryDirectory, temporaryDirectory } from "@berth/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type EnsuredEmulator, ensureEmulator } from "../src/index.ts";
import { ApiClient, field } from "./api-client.ts";

const program = fileURLToPath(new URL("./fixtures/emulator-main.ts", import.meta.url));
/** Instants of the kill after a call was made, in milliseconds: through a clone, its end and a start. */
const instantsMs = [0, 5, 12, 25, 45, 80, 130, 200];

let directory: TemporaryDirectory;
let emulator: EnsuredEmulator | undefined;

const ensure = async (): Promise<{ api: ApiClient; facts: EnsuredEmulator }> => {
  emulator = await ensureEmulator({ dataDir: directory.path, backend: "process", isolated: true, program });
  return { api: await ApiClient.open(emulator, directory.path), facts: emulator };
};

beforeEach(async () => {
  directory = await temporaryDirectory();
});

afterEach(async () => {
  await emulator?.stop();
  await directory.dispose();
});

/** Clones and starts a container until the emulator is gone; answers the UPIDs that were acknowledged. */
async function work(api: ApiClient, pool: string, vmid: number): Promise<string[]> {
  const acknowledged: string[] = [];
  const start = async (path: string, parameters: Record<string, string | number>) => {
    const upid = String(await api.must("POST", path, parameters));
    acknowledged.push(upid);
    await api.follow(upid);
  };
  try {
    await start(`${api.container(150)}/clone`, { newid: vmid, pool });
    await start(`${api.container(vmid)}/status/start`, {});
  } catch {
    // Killed in its midst.
  }
  return acknowledged;
}

describe("an emulator that is killed at any instant", () => {
  it("forgets no acknowledged task, and leaves no lock and no half container", { timeout: 120_000 }, async () => {
    for (const [index, instantMs] of instantsMs.entries()) {
      const vmid = 201 + index;
      const { api, facts } = await ensure();
      const working = work(api, facts.pool, vmid);
      await new Promise((resolve) => setTimeout(resolve, instantMs));
      process.kill(facts.pid, "SIGKILL");
      await eventually(() => identifyProcess(facts.pid) === undefined);
      const acknowledged = await working;

      const { api: again } = await ensure();
      for (const upid of acknowledged) expect(await again.follow(upid)).toMatch(/^(OK|unexpected status)$/);
      const listed = await again.must("GET", `${again.node}/lxc`);
      expect(Array.isArray(listed) && listed.filter((one) => field(one, "lock") !== undefined)).toEqual([]);
      const folders = (await readdir(join(directory.path, "containers"))).map(Number).sort();
      expect(Array.isArray(listed) && listed.map((one) => field(one, "vmid"))).toEqual(folders);
    }
  });
});
