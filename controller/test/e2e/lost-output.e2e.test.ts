import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { prepareBerth } from "./berth.ts";

const program = fileURLToPath(new URL("../../dist/main.mjs", import.meta.url));

it("stops in order when nobody reads its output any more", async () => {
  const berth = await prepareBerth();
  const child = spawn(process.execPath, [program], { env: berth.env, stdio: ["ignore", "pipe", "pipe"] });
  try {
    for await (const chunk of child.stderr) if (String(chunk).includes("Berth is ready")) break;
    child.stdout.destroy();
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([0, null]);
    expect(existsSync(join(berth.dataDir, "proxmox", "emulator.json"))).toBe(false);
    expect(existsSync(join(berth.dataDir, "postgres", "postmaster.pid"))).toBe(false);
  } finally {
    child.kill("SIGKILL");
    await berth.dispose();
  }
});
