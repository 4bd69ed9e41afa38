/**
 * Ends what a test process has started and not ended, once that is gone, however it went: a run that is interrupted has
 * its processes killed within milliseconds. Started by `entrust`; standard input is the test process's life, and
 * says what to end: lines of JSON, `{"pid": 1, "folder": "/tmp/…"}` to be ended, and later `{"pid": 1}` for what has
 * ended by itself.
 */
import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { stdin } from "node:process";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import { parseJson } from "@berth/protocol";
import { Value } from "typebox/value";
import { undertakingSchema } from "./undertaking.ts";

/** A controller stops its servers and all containers in order; what takes longer is left to whoever looks. */
const patienceMs = 60_000;
const pollMs = 50;

const entrusted = new Map<number, string>();
for await (const line of createInterface({ input: stdin })) {
  const { pid, folder } = Value.Parse(undertakingSchema, parseJson(line));
  if (folder === undefined) entrusted.delete(pid);
  else entrusted.set(pid, folder);
}
await Promise.all([...entrusted].map(([pid, folder]) => bury(pid, folder)));

async function bury(pid: number, folder: string): Promise<void> {
  if (!isOf(pid, folder)) return;
  process.kill(pid, "SIGTERM");
  for (let waited = 0; isOf(pid, folder); waited += pollMs) {
    if (waited >= patienceMs) return;
    await wait(pollMs);
  }
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

/** Whether a process is still the one that was entrusted: its number may be another's by now. */
function isOf(pid: number, folder: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").includes(`BERTH_DATA_DIR=${folder}/`);
  } catch {
    return false;
  }
}
