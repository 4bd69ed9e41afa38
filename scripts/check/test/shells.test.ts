import { expect, test } from "vitest";
import { shellUses } from "../shells.ts";

const inSources = (text: string) => shellUses([{ path: "controller/src/a.ts", text }]);

test.each([
  'import { exec } from "node:child_process";',
  'import { type ChildProcess, execSync } from "child_process";',
  'spawn("git", ["log", branch], { shell: true });',
  'spawn("git", ["log", branch], { shell: "/bin/bash" });',
  'spawn("sh", ["-c", `git log`]);',
  'run("/bin/bash", [\n  "-ec", script]);',
  'const argv = ["unshare", "/bin/sh", "-c", script];',
])("tells of %j", (text) => {
  expect(inSources(text)).toHaveLength(1);
  expect(shellUses([{ path: "controller/test/a.test.ts", text }])).toEqual([]);
});

test.each([
  'import { execFile, spawn } from "node:child_process";',
  "const match = pattern.exec(text);",
  'const terminal = { kind: "exec", shell: false };',
  'spawn("git", ["-c", "core.fsmonitor=false", "log", "--", name]);',
])("lets %j be", (text) => expect(inSources(text)).toEqual([]));
