import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { eventually, processesWithEnvironment, spawnProcess } from "../src/index.ts";

function shell(script: string, mark = randomUUID()) {
  const env = { PATH: process.env.PATH ?? "", BERTH_TEST_MARK: mark };
  return spawnProcess({ command: "/bin/sh", args: ["-c", script], env });
}

test("finds a line, and a stopped child leaves nothing", async () => {
  const mark = randomUUID();
  const child = shell("echo one; echo ready here; exec sleep 60", mark);
  expect(await child.waitForLine("ready")).toBe("ready here");
  expect(await processesWithEnvironment("BERTH_TEST_MARK", mark)).toHaveLength(1);
  expect(await child.stop()).toEqual({ code: null, signal: "SIGTERM" });
  expect(await processesWithEnvironment("BERTH_TEST_MARK", mark)).toEqual([]);
});

test("tells what a child wrote that ended without the line", async () => {
  const child = shell("echo went wrong >&2; exit 3");
  await expect(child.waitForLine("ready")).rejects.toThrow(/before it ended[\s\S]*went wrong/);
  expect(await child.stop()).toEqual({ code: 3, signal: null });
});

test("a child that leaves a process behind fails its stop, and the process is killed", async () => {
  const mark = randomUUID();
  const child = shell("sleep 60 & echo ready; exit 0", mark);
  await child.exited;
  await expect(child.stop()).rejects.toThrow("sleep 60");
  await eventually(async () => (await processesWithEnvironment("BERTH_TEST_MARK", mark)).length === 0);
});

test("keeps the latest output within its bound", async () => {
  const child = spawnProcess({ command: "/bin/sh", args: ["-c", "seq 1 20000; echo end"], outputBytes: 1000 });
  await child.waitForLine(/^end$/);
  expect(child.stdout.length).toBeLessThanOrEqual(1000);
  await child.stop();
});
