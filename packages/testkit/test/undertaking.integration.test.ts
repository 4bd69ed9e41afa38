import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { eventually } from "../src/eventually.ts";
import { processesWithEnvironment } from "../src/process/proc.ts";
import { type SpawnedProcess, spawnProcess } from "../src/process/spawn-process.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../src/temporary-directory.ts";

const undertaking = fileURLToPath(new URL("../src/berth/undertaking.ts", import.meta.url));

/** A test process with a controller in a session of its own. */
const tester = `
  const { spawn } = await import("node:child_process");
  const { entrust } = await import(${JSON.stringify(undertaking)});
  const folder = process.argv[1];
  const program = 'process.on("SIGTERM", () => process.exit()); setInterval(() => {}, 1000); console.log("up");';
  const env = { ...process.env, BERTH_DATA_DIR: folder + "/data" };
  const child = spawn(process.execPath, ["-e", program], { detached: true, stdio: ["ignore", "pipe", "ignore"], env });
  child.stdout.once("data", () => {
    entrust(child.pid, folder, new Promise((resolve) => child.once("exit", resolve)));
    console.log("entrusted");
  });
`;

let folder: TemporaryDirectory;
let testRun: SpawnedProcess;
afterEach(async () => {
  await testRun.stop();
  await folder.dispose();
});

async function begin(): Promise<void> {
  folder = await temporaryDirectory();
  testRun = spawnProcess({ command: process.execPath, args: ["-e", tester, folder.path] });
  await testRun.waitForLine("entrusted", 30_000);
}

const controllers = () => processesWithEnvironment("BERTH_DATA_DIR", join(folder.path, "data"));

test("a controller whose test process is killed is ended, and its folder is gone", async () => {
  await begin();
  expect(await controllers()).toHaveLength(1);
  testRun.kill("SIGKILL");
  await eventually(async () => (await controllers()).length === 0, { timeoutMs: 20_000, what: "the controller's end" });
  await eventually(() => !existsSync(folder.path), { timeoutMs: 20_000, what: "the end of its folder" });
});
