import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { containerName, prefixOf } from "../src/backend/lxc/names.ts";
import { lxcObstacle } from "../src/backend/lxc/obstacle.ts";

export const run = promisify(execFile);

/** Why containers of LXC cannot be tested here; whoever says that they are not to be (BERTH_BACKEND=process) is obeyed. */
export const untested = process.env.BERTH_BACKEND === "process" ? "BERTH_BACKEND=process" : undefined;

/** Throws where this machine cannot run the containers that are to be tested. */
export async function requireLxc(): Promise<void> {
  const obstacle = await lxcObstacle();
  if (obstacle !== undefined) throw new Error(`${obstacle} (BERTH_BACKEND=process leaves these tests out)`);
}

/** Everything of the machine that belongs to a data folder's containers: processes, control groups, loop devices. */
export async function tracesOf(dataDir: string, vmid?: number): Promise<string[]> {
  const name = vmid === undefined ? prefixOf(dataDir) : containerName(dataDir, vmid);
  const folder = vmid === undefined ? `${dataDir}/` : join(dataDir, "containers", String(vmid), "/");
  return [...(await processTraces(name)), ...(await groupTraces(name)), ...(await loopTraces(folder))];
}

/** The interfaces and namespaces of a data folder's network, in the machine's own namespace. */
export async function networkTraces(dataDir: string): Promise<string[]> {
  const { stdout } = await run("sh", ["-c", "ip -o link; ip netns; nft list tables"]);
  return stdout.split("\n").filter((line) => line.includes(prefixOf(dataDir)));
}

async function processTraces(name: string): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((one) => /^\d+$/.test(one));
  const titles = await Promise.all(
    pids.map(
      async (pid) => `${pid} ${(await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).replaceAll("\0", " ")}`,
    ),
  );
  return titles.filter((title) => title.includes(name) && title.includes("lxc"));
}

async function groupTraces(name: string): Promise<string[]> {
  const found: string[] = [];
  for (const hierarchy of ["", ...(await readdir("/sys/fs/cgroup"))]) {
    const groups = await readdir(join("/sys/fs/cgroup", hierarchy)).catch(() => []);
    found.push(...groups.filter((group) => group.startsWith("lxc.") && group.includes(name)));
  }
  return found;
}

async function loopTraces(folder: string): Promise<string[]> {
  const files = await Promise.all(
    (await readdir("/sys/block")).map((one) =>
      readFile(join("/sys/block", one, "loop/backing_file"), "utf8").catch(() => ""),
    ),
  );
  return files.filter((file) => file.startsWith(folder));
}
