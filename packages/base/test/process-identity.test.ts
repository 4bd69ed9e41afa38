import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { identifyProcess, isProcessIdentity, isRunning } from "../src/node/index.ts";
import { temporaryFolder } from "./support/folder.ts";

function startSleeper(command = "sleep") {
  const child = spawn(command, ["60"], { stdio: "ignore" });
  onTestFinished(() => void child.kill("SIGKILL"));
  if (child.pid === undefined) throw new Error("sleep did not start");
  return { child, pid: child.pid };
}

describe("the identity of a process", () => {
  it("stays the same while it runs", () => {
    const identity = identifyProcess(process.pid);
    expect(identity).toEqual(identifyProcess(process.pid));
    expect(identity?.pid).toBe(process.pid);
    expect(identity?.started).toMatch(/^[0-9a-f-]{36}:\d+$/);
  });

  it("ends with it", async () => {
    const { child, pid } = startSleeper();
    const identity = identifyProcess(pid);
    if (!identity) throw new Error("the process is not seen");
    expect(isRunning(identity)).toBe(true);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(identifyProcess(pid)).toBeUndefined();
    expect(isRunning(identity)).toBe(false);
  });

  it("is not that of another process with its number", () => {
    const { pid } = startSleeper();
    const identity = identifyProcess(pid);
    expect(isRunning({ pid, started: `${identity?.started}0` })).toBe(false);
  });

  it("is found under a name with spaces and parentheses", async () => {
    const command = join(temporaryFolder(), "a ) R (b");
    copyFileSync(readlinkSync(`/proc/${startSleeper().pid}/exe`), command);
    const { pid } = startSleeper(command);
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    expect(stat).toContain("(a ) R (b)");
    const startTicks = stat.slice(stat.indexOf("(a ) R (b)") + 11).split(" ")[19];
    expect(identifyProcess(pid)?.started.split(":")[1]).toBe(startTicks);
  });

  it("is none where there is no process", () => {
    for (const pid of [0, -1, 2 ** 30, Number.NaN]) expect(identifyProcess(pid)).toBeUndefined();
  });

  it("is known again when it is read from a file", () => {
    expect(isProcessIdentity({ pid: 1, started: "boot:1" })).toBe(true);
    for (const other of [null, 1, "1", [], {}, { pid: "1", started: "x" }, { pid: 1.5, started: "x" }, { pid: 1 }]) {
      expect(isProcessIdentity(other)).toBe(false);
    }
  });
});
