import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { temporaryFolder } from "./support/folder.ts";

const program = fileURLToPath(new URL("support/lock-contender.ts", import.meta.url));
const contenderCount = 20;

interface Contender {
  readonly child: ChildProcess;
  /** Its lines: `ready`, then the outcome. */
  readonly lines: AsyncIterator<string>;
}

function startContender(folder: string, signals: string): Contender {
  const child = spawn(process.execPath, [program, folder, signals], { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  });
  if (!child.stdout) throw new Error("no output to read");
  return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
}

/** Lets all contend at once, and answers what each of them says. */
async function contend(folder: string): Promise<{ contenders: Contender[]; outcomes: string[] }> {
  const signals = temporaryFolder();
  const contenders = Array.from({ length: contenderCount }, () => startContender(folder, signals));
  const nextOfEach = () => Promise.all(contenders.map(async ({ lines }) => String((await lines.next()).value)));
  expect(new Set(await nextOfEach())).toEqual(new Set(["ready"]));
  writeFileSync(join(signals, "go"), "");
  return { contenders, outcomes: await nextOfEach() };
}

it.each<[string, string | undefined]>([
  ["a free lock", undefined],
  ["a stale lock", JSON.stringify({ pid: 1, started: "another boot:1" })],
  ["a damaged lock", "{"],
])("twenty processes that want %s at once: one gets it", async (_, contents) => {
  const folder = temporaryFolder();
  if (contents !== undefined) writeFileSync(join(folder, "lock"), contents);
  const { contenders, outcomes } = await contend(folder);
  const winner = contenders[outcomes.indexOf("held")]?.child.pid;
  expect(outcomes.filter((outcome) => outcome === "held")).toHaveLength(1);
  expect(outcomes.filter((outcome) => /^refused \d+$/.test(outcome))).toHaveLength(contenderCount - 1);
  expect(readdirSync(folder)).toEqual(["lock"]);
  expect(JSON.parse(readFileSync(join(folder, "lock"), "utf8"))).toMatchObject({ pid: winner });
});
