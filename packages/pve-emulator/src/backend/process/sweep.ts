import { systemClock } from "@berth/base";
import { descendantsOf, listProcesses, rootOf } from "./process-table.ts";
import { tagOfProcess, tagOfRoot } from "./process-tag.ts";

const passMs = 15;
const maxPasses = 300;

/**
 * Kills all processes of a container, and resolves when none is left. They are known by the tag that they inherit, by
 * the root in their environment, and in the first pass by descending from init, which goes with it and so restarts
 * nothing.
 */
export async function killContainer(root: string, init?: number): Promise<void> {
  const tag = tagOfRoot(root);
  const first = listProcesses();
  const family = new Set(init === undefined ? [] : [init, ...descendantsOf(init, first).map(({ pid }) => pid)]);
  for (let pass = 0; pass < maxPasses; pass += 1) {
    const processes = pass === 0 ? first : listProcesses();
    const isOurs = (pid: number) => family.has(pid) || tagOfProcess(pid) === tag || rootOf(pid) === root;
    const victims = processes.filter(({ pid }) => pid !== process.pid && isOurs(pid));
    if (victims.length === 0) return;
    for (const { pid } of victims) kill(pid);
    await systemClock.sleep(passMs);
  }
  throw new Error(`processes of ${root} survive SIGKILL`);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone already, or not ours.
  }
}
