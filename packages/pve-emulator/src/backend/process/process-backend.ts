import type { ChildProcess } from "node:child_process";
import { mkdir, rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { systemClock } from "@berth/base";
import { isRunning } from "@berth/base/node";
import { templateEnvironment } from "@berth/protocol";
import { findClaude } from "@berth/template";
import type {
  ContainerBackend,
  ContainerDisks,
  ContainerInterface,
  ContainerUsage,
  EndReason,
  NetworkCard,
  RawLxcKey,
  RunningContainer,
  StartSettings,
} from "../backend.ts";
import { emptyTrash } from "../trash.ts";
import { ContainerFiles, exists } from "./container-files.ts";
import { findSshd, guestUser, renewLinks, sshPort, writeGuestFiles } from "./guest-files.ts";
import { interfacesOf } from "./interfaces.ts";
import { Leases } from "./leases.ts";
import { ProcessDisks, type ProcessDisksOptions } from "./process-disks.ts";
import { processPaths } from "./process-paths.ts";
import { descendantsOf, listProcesses, pageBytes, rootOf, ticksPerSecond } from "./process-table.ts";
import { tagOfProcess, tagOfRoot } from "./process-tag.ts";
import { findInit, type InitState, spawnInit, waitForSsh } from "./running-process.ts";
import { subnetOf } from "./subnet.ts";
import { killContainer } from "./sweep.ts";

const watchMs = 200;
/** How long containers may take to shut down when the emulator itself ends. */
const farewellMs = 6000;

interface Running {
  readonly state: InitState;
  readonly address: string;
  /** Only when this emulator started it: then its end must be awaited, or it stays as a zombie. */
  readonly child?: ChildProcess;
  sample: { atMs: number; ticks: number };
  /** Its end was asked for, and is none to report. */
  asked?: boolean;
}

/**
 * Containers as processes of this machine: a folder as root, a loopback address of its own, and an init that runs
 * sshd and the template's units. Needs no privileges, and so shields nothing from anything.
 */
export class ProcessBackend implements ContainerBackend {
  readonly kind = "process";
  readonly hostAddress = "127.0.0.1";
  readonly templateKeys: readonly RawLxcKey[] = [
    ["lxc.environment", `${templateEnvironment.sshPort}=${sshPort}`],
    ["lxc.environment", `${templateEnvironment.sshUser}=${guestUser()}`],
  ];
  onEnd: ((vmid: number, reason: EndReason) => void) | undefined;

  readonly disks: ContainerDisks;
  readonly #dataDir: string;
  readonly #leases: Leases;
  readonly #running = new Map<number, Running>();
  /** Containers that ended by themselves, until the last of their processes is gone. */
  readonly #ending = new Map<number, Promise<void>>();
  readonly #watch: NodeJS.Timeout;

  constructor(options: ProcessDisksOptions) {
    this.disks = new ProcessDisks(options);
    this.#dataDir = options.dataDir;
    this.#leases = new Leases(subnetOf(options.dataDir));
    this.#watch = setInterval(() => this.#noticeEnds(), watchMs);
    this.#watch.unref();
  }

  async adopt(vmids: readonly number[]): Promise<void> {
    await emptyTrash(this.#dataDir);
    for (const vmid of vmids) {
      const files = this.#files(vmid);
      await files.repair();
      const state = await findInit(files);
      await this.#leases.restore(vmid, files);
      const address = this.#leases.get(vmid);
      if (state && address) this.#running.set(vmid, { state, address, sample: { atMs: 0, ticks: 0 } });
    }
    await this.#killStrays(vmids);
  }

  async start(vmid: number, settings: StartSettings): Promise<void> {
    await this.#ending.get(vmid);
    const files = this.#files(vmid);
    if (!(await exists(files.root))) throw new Error(`container ${vmid} has no disk`);
    const sshd = await findSshd();
    const address = await this.#leases.acquire(vmid, files);
    await rm(join(files.root, "run"), { recursive: true, force: true });
    await mkdir(join(files.root, "run"), { recursive: true });
    await writeGuestFiles(files.root, address, settings.hostname);
    await renewLinks(files.root, { node: process.execPath, claude: await findClaude() });
    const { child, state } = await spawnInit(files, sshd);
    try {
      await waitForSsh(address, state);
    } catch (error) {
      await killContainer(files.root, state.pid);
      throw error;
    }
    this.#running.set(vmid, { state, address, child, sample: { atMs: 0, ticks: 0 } });
    child.once("exit", () => this.#noticeEnds());
  }

  /** Processes of this machine have no limits that could be held without privileges. */
  async applyLimits(): Promise<void> {}

  /** Processes share the machine's network. */
  async allowMachinePorts(): Promise<void> {}

  async shutdown(vmid: number, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    const running = this.#running.get(vmid);
    if (!running) return true;
    await rm(join(this.#files(vmid).root, processPaths.rebootRequest), { force: true });
    running.asked = true;
    signalProcess(running.state.pid, "SIGTERM");
    const deadline = performance.now() + timeoutMs;
    while (isRunning(running.state) && performance.now() < deadline && !signal?.aborted) await systemClock.sleep(10);
    if (isRunning(running.state)) {
      running.asked = false;
      return false;
    }
    await this.kill(vmid);
    return true;
  }

  async kill(vmid: number): Promise<void> {
    await this.#ending.get(vmid);
    const running = this.#running.get(vmid);
    // Taken off the list first, so that nobody takes this for an end to report.
    this.#running.delete(vmid);
    const files = this.#files(vmid);
    await killContainer(files.root, running && isRunning(running.state) ? running.state.pid : undefined);
    await rm(files.initState, { force: true });
  }

  async forget(vmid: number): Promise<void> {
    const files = this.#files(vmid);
    for (const path of [files.lease, files.initState]) await rm(path, { force: true });
    this.#leases.release(vmid);
  }

  running(vmid: number): RunningContainer | undefined {
    const running = this.#running.get(vmid);
    return running && { pid: running.state.pid, startedAtMs: running.state.startedAtMs };
  }

  async usage(vmid: number): Promise<ContainerUsage> {
    const running = this.#running.get(vmid);
    if (!running) return { memoryBytes: 0, cores: 0 };
    const processes = listProcesses();
    const { pid } = running.state;
    const own = [...processes.filter((entry) => entry.pid === pid), ...descendantsOf(pid, processes)];
    const ticks = own.reduce((sum, entry) => sum + entry.cpuTicks, 0);
    const last = running.sample;
    running.sample = { atMs: performance.now(), ticks };
    const seconds = (running.sample.atMs - last.atMs) / 1000;
    const cores = last.atMs > 0 && seconds > 0 ? Math.max(0, ticks - last.ticks) / ticksPerSecond / seconds : 0;
    const memoryBytes = own.reduce((sum, entry) => sum + entry.residentPages, 0) * pageBytes;
    return { memoryBytes, cores: Math.min(cores, availableParallelism()) };
  }

  async interfaces(vmid: number, cards: readonly NetworkCard[]): Promise<readonly ContainerInterface[]> {
    const running = this.#running.get(vmid);
    if (!running) return [];
    return interfacesOf(running.address, cards);
  }

  leave(): void {
    clearInterval(this.#watch);
    this.#running.clear();
  }

  /** Stops all containers. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#watch);
    await Promise.all(
      [...this.#running.keys()].map(async (vmid) => {
        if (!(await this.shutdown(vmid, farewellMs))) await this.kill(vmid);
      }),
    );
  }

  #files(vmid: number): ContainerFiles {
    return new ContainerFiles(this.#dataDir, vmid);
  }

  /** Containers whose init is gone: what is left of them goes too, and somebody is told. */
  #noticeEnds(): void {
    for (const [vmid, running] of this.#running) {
      if (running.asked || isRunning(running.state)) continue;
      this.#running.delete(vmid);
      const ending = this.#reportEnd(vmid).finally(() => this.#ending.delete(vmid));
      this.#ending.set(vmid, ending);
    }
  }

  async #reportEnd(vmid: number): Promise<void> {
    const { root } = this.#files(vmid);
    await killContainer(root).catch(() => {});
    const reboot = await exists(join(root, processPaths.rebootRequest));
    this.onEnd?.(vmid, reboot ? "reboot" : "stopped");
  }

  /** Ends what is left of containers that do not run, among these and of ones that are gone altogether. */
  async #killStrays(vmids: readonly number[]): Promise<void> {
    const folder = join(this.#dataDir, "containers");
    const stopped = new Map<string, string>();
    for (const vmid of vmids) {
      const { root } = this.#files(vmid);
      if (!this.#running.has(vmid)) stopped.set(tagOfRoot(root), root);
    }
    const alive = new Set([...this.#running.keys()].map((vmid) => this.#files(vmid).root));
    for (const { pid } of listProcesses()) {
      const root = stopped.get(tagOfProcess(pid) ?? "") ?? rootOf(pid);
      if (root?.startsWith(`${folder}/`) && !alive.has(root)) await killContainer(root);
    }
  }
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended meanwhile.
  }
}
