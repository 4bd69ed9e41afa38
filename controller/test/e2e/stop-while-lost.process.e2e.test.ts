import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { startBerth } from "./berth.ts";

it("stops everything when it is told to while it waits for the return of PostgreSQL", async () => {
  const berth = await startBerth();
  try {
    const sandbox = await berth.readySandbox();
    const [pid] = (await readFile(join(berth.dataDir, "postgres", "postmaster.pid"), "utf8")).split("\n");
    process.kill(Number(pid), "SIGKILL");
    await berth.process.waitForLine("Trying again", 30_000);
    expect(await berth.stop(), berth.process.stderr).toBe(0);
    expect(await berth.processesOf(sandbox)).toEqual([]);
    expect(existsSync(join(berth.dataDir, "proxmox", "emulator.json"))).toBe(false);
    expect(existsSync(join(berth.dataDir, "postgres", "postmaster.pid"))).toBe(false);
  } finally {
    await berth.dispose();
  }
});
