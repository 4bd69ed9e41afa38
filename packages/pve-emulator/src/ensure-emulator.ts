import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, open, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "@berth/base";
import { identifyProcess, isRunning } from "@berth/base/node";
import Type, { type Static } from "typebox";
import type { MachineService } from "./backend/backend.ts";
import type { BackendChoice } from "./backend/choice.ts";
import { type EmulatorFacts, emulatorFactsSchema, factsFile } from "./emulator-facts.ts";
import { loadJson } from "./state/json-file.ts";
import { processIdentitySchema } from "./state/process-identity-schema.ts";
import { tellEmulator } from "./tell-emulator.ts";

const publishedSchema = Type.Object({ ...emulatorFactsSchema.properties, process: processIdentitySchema });
type Published = Static<typeof publishedSchema>;

/**
 * How long an emulator may say nothing while it starts. Debian is made in a minute the first time, and says so as it
 * goes.
 */
const silenceTimeoutMs = 90_000;
const stopTimeoutMs = 20_000;
const pollMs = 10;
/** How soon an end that nobody asked for is noticed. */
const watchMs = 500;

export interface EnsureOptions {
  readonly dataDir: string;
  readonly backend: BackendChoice;
  readonly isolated: boolean;
  /** The emulator's program: `main.ts`, or the bundle made of it. By default the one beside this module. */
  readonly program?: string;
  /** Lines that the emulator says while it starts. */
  readonly onProgress?: (line: string) => void;
}

/** An emulator in a process of its own. */
export interface EnsuredEmulator extends EmulatorFacts {
  readonly pid: number;
  /** Lets its containers reach these TCP ports of `hostAddress`, and no others of this machine; services appear there. */
  allowMachinePorts(ports: readonly number[], services: readonly MachineService[]): Promise<void>;
  /** Resolves when it has ended, by whatever it was. Rejects with the signal's reason. */
  ended(signal: AbortSignal): Promise<void>;
  /** Stops it and its containers, and waits for its end. */
  stop(): Promise<void>;
}

/**
 * The emulator of a data folder: the one that runs, or a new one. It is a session of its own and outlives this process,
 * whose next run finds it again. Throws an error of one sentence, the emulator's own where it said one.
 */
export async function ensureEmulator(options: EnsureOptions): Promise<EnsuredEmulator> {
  const dataDir = resolve(options.dataDir);
  const running = (await findEmulator(dataDir)) ?? (await spawnEmulator(dataDir, options));
  const { process: identity, ...facts } = running;
  return {
    ...facts,
    pid: identity.pid,
    allowMachinePorts: (machinePorts, services) =>
      tellEmulator(dataDir, facts, "/_network", { machinePorts, services }),
    ended: async (signal) => {
      while (isRunning(identity)) await systemClock.sleep(watchMs, signal);
    },
    stop: () => stopEmulator(running),
  };
}

/**
 * Stops the emulator of a data folder with its containers, if one runs that an earlier process has left. Answers whether
 * one did. Throws an error of one sentence if it does not end.
 */
export async function stopLeftEmulator(dataDir: string): Promise<boolean> {
  const running = await findEmulator(resolve(dataDir));
  if (running) await stopEmulator(running);
  return running !== undefined;
}

async function findEmulator(dataDir: string): Promise<Published | undefined> {
  const path = factsFile(dataDir);
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const published = await loadJson(path, publishedSchema).catch(() => undefined);
  return published && isRunning(published.process) ? published : undefined;
}

async function spawnEmulator(dataDir: string, options: EnsureOptions): Promise<Published> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  // Its own file, not a pipe: the emulator goes on when this process is gone. Each start begins it anew.
  const logPath = join(dataDir, "emulator.log");
  const log = await open(logPath, "w", 0o600);
  const program = options.program ?? defaultProgram();
  const args = ["--port", "0", "--data", dataDir, "--backend", options.backend];
  if (options.isolated) args.push("--isolated");
  const child = spawn(process.execPath, [program, ...args], {
    detached: true,
    stdio: ["ignore", "ignore", log.fd],
    cwd: "/",
  });
  await log.close();
  child.unref();
  const progress = new LineReader(logPath, options.onProgress ?? (() => {}));
  let deadline = performance.now() + silenceTimeoutMs;
  while (performance.now() < deadline) {
    const ended = child.exitCode !== null || child.signalCode !== null;
    if (await progress.poll()) deadline = performance.now() + silenceTimeoutMs;
    const published = await findEmulator(dataDir);
    // Another starter may have been quicker: its emulator is as good.
    if (published) return published;
    if (ended) throw new Error(`the Proxmox emulator did not start: ${progress.last || "it said nothing"}`);
    await systemClock.sleep(pollMs);
  }
  end(child);
  throw new Error(`the Proxmox emulator has said nothing for ${silenceTimeoutMs / 1000} s (see ${logPath})`);
}

function defaultProgram(): string {
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".mjs";
  return fileURLToPath(new URL(`./main${extension}`, import.meta.url));
}

async function stopEmulator({ process: identity }: Published): Promise<void> {
  if (!isRunning(identity)) return;
  process.kill(identity.pid, "SIGTERM");
  const deadline = performance.now() + stopTimeoutMs;
  while (isRunning(identity)) {
    if (performance.now() > deadline) throw new Error(`the Proxmox emulator (process ${identity.pid}) does not stop`);
    await systemClock.sleep(pollMs);
  }
}

function end(child: ChildProcess): void {
  if (child.pid !== undefined && identifyProcess(child.pid)) child.kill("SIGKILL");
}

/** Follows a growing text file line by line. */
class LineReader {
  readonly #path: string;
  readonly #onLine: (line: string) => void;
  #lines = 0;
  /** The last whole line. */
  last = "";

  constructor(path: string, onLine: (line: string) => void) {
    this.#path = path;
    this.#onLine = onLine;
  }

  /** Tells about new lines, and whether there were any. */
  async poll(): Promise<boolean> {
    const lines = (await readFile(this.#path, "utf8")).split("\n").slice(0, -1);
    for (const line of lines.slice(this.#lines)) {
      this.last = line.replace(/^emulator: /, "");
      this.#onLine(this.last);
    }
    const more = lines.length > this.#lines;
    this.#lines = lines.length;
    return more;
  }
}
