// The first process of a container of the process backend, with the container's whole environment:
//   node init.ts ROOT STATE_FILE \; NAME CONDITION COMMAND ARGS… \; NAME …
// It runs these services, each once the file CONDITION is there ("" for none), in this order. It restarts those that
// end, and takes them along when it ends itself. Its imports are few, since there is one init a container.
//   SIGHUP   looks again which units may run (the bootstrap sends it)
//   SIGTERM  shuts the container down
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { identifyProcess } from "@berth/base/node";
import { BoundedLog } from "./bounded-log.ts";
import { processPaths } from "./process-paths.ts";
import { descendantsOf, listProcesses } from "./process-table.ts";
import { tagOfProcess } from "./process-tag.ts";

/** How long units may take to end after SIGTERM. */
const stopGraceMs = 4000;
const firstRestartMs = 100;
const maxRestartMs = 10_000;
/** A unit that ran for so long counts as healthy: its next restart is quick again. */
const healthyMs = 10_000;
const setpriv = "/usr/bin/setpriv";

interface Service {
  readonly name: string;
  readonly argv: readonly string[];
  /** Absolute path of the file without which it does not start. */
  readonly condition: string;
  readonly log: BoundedLog;
  child?: ChildProcess;
  restart?: NodeJS.Timeout;
  failures: number;
}

let stopping = false;

function main(root: string, stateFile: string, services: readonly Service[]): void {
  // sshd names this folder at build time and insists on it when it runs as root; the system's own service makes it too.
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
  process.on("SIGHUP", () => {
    for (const service of services) {
      service.failures = 0;
      startIfDue(service);
    }
  });
  process.on("SIGTERM", () => void shutDown(services));
  writeFileSync(join(root, processPaths.initPid), `${process.pid}\n`);
  announce(stateFile);
  for (const service of services) startIfDue(service);
}

/** Writes who this is where the emulator looks, in one step. */
function announce(stateFile: string): void {
  writeFileSync(`${stateFile}.tmp`, JSON.stringify({ ...identifyProcess(process.pid), startedAtMs: Date.now() }));
  renameSync(`${stateFile}.tmp`, stateFile);
}

/** Services from the command line: groups that begin with `;`. */
function parseServices(root: string, words: readonly string[]): Service[] {
  const groups: string[][] = [];
  for (const word of words) {
    if (word === ";") groups.push([]);
    else groups.at(-1)?.push(word);
  }
  return groups.map(([name = "", condition = "", ...argv]) => {
    const log = new BoundedLog(join(root, processPaths.logs, `${name}.log`));
    return { name, condition, argv, log, failures: 0 };
  });
}

function startIfDue(service: Service): void {
  const conditionHolds = service.condition === "" || existsSync(service.condition);
  if (stopping || service.child || !conditionHolds) return;
  clearTimeout(service.restart);
  // Should init be killed, the kernel ends what it runs; setpriv only sets that up and becomes the program.
  const wrapped = existsSync(setpriv) ? [setpriv, "--pdeathsig", "KILL", "--", ...service.argv] : service.argv;
  const [command = "", ...args] = wrapped;
  const startedAt = performance.now();
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], cwd: homedir() });
  service.child = child;
  child.stdout?.on("data", (bytes: Buffer) => service.log.write(bytes));
  child.stderr?.on("data", (bytes: Buffer) => service.log.write(bytes));
  let ended = false;
  const onEnd = (why: string) => {
    if (ended) return;
    ended = true;
    delete service.child;
    service.log.write(Buffer.from(`[init] ${service.name} ended: ${why}\n`));
    if (performance.now() - startedAt > healthyMs) service.failures = 0;
    const delay = Math.min(maxRestartMs, firstRestartMs * 2 ** service.failures);
    service.failures += 1;
    if (!stopping) service.restart = setTimeout(() => startIfDue(service), delay);
  };
  child.on("error", (error) => onEnd(error.message));
  child.on("exit", (code, signal) => onEnd(signal ?? `exit ${code}`));
}

/** Ends the units in the reverse order of their start, then whatever else runs below, then itself. */
async function shutDown(services: readonly Service[]): Promise<void> {
  if (stopping) return;
  stopping = true;
  for (const service of [...services].reverse()) {
    clearTimeout(service.restart);
    service.child?.kill("SIGTERM");
  }
  const deadline = performance.now() + stopGraceMs;
  while (services.some((service) => service.child) && performance.now() < deadline) await pause(10);
  for (let left = below(); left.length > 0; left = below()) {
    for (const pid of left) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It ended meanwhile.
      }
    }
    await pause(10);
  }
  process.exit(0);
}

/** All other processes of the container: those below this one, and those that left it but carry its tag. */
function below(): number[] {
  const processes = listProcesses();
  const family = new Set(descendantsOf(process.pid, processes).map(({ pid }) => pid));
  const tag = tagOfProcess("self");
  const isOurs = (pid: number) => family.has(pid) || (tag !== undefined && tagOfProcess(pid) === tag);
  return processes.map(({ pid }) => pid).filter((pid) => pid !== process.pid && isOurs(pid));
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const [root, stateFile, ...rest] = process.argv.slice(2);
if (root === undefined || stateFile === undefined) {
  process.stderr.write("usage: init ROOT STATE_FILE [; NAME CONDITION COMMAND ARGS...]...\n");
  process.exit(2);
}
main(root, stateFile, parseServices(root, rest));
