import { readFile, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { isRunning } from "@berth/base/node";
import type {
  ContainerBackend,
  ContainerInterface,
  ContainerUsage,
  EndReason,
  MachineService,
  RawLxcKey,
  ResourceLimits,
  RunningContainer,
  StartSettings,
} from "../backend.ts";
import { emptyTrash } from "../trash.ts";
import { changeLimits, namesOfGroups, readUsage, sweep } from "./cgroups.ts";
import { CommandFailed, run } from "./command.ts";
import { ContainerPaths } from "./container-paths.ts";
import { untilDetached } from "./disk-image.ts";
import { guestFilesOf, packGuestFiles } from "./guest-files.ts";
import { halt } from "./halt.ts";
import type { IdRange } from "./id-range.ts";
import { interfacesIn } from "./interfaces.ts";
import { raiseKernelQuotas } from "./kernel-quotas.ts";
import { lxcConfig } from "./lxc-config.ts";
import type { LxcDisks } from "./lxc-disks.ts";
import { containerName, prefixOf, vmidOf } from "./names.ts";
import type { ContainerNetwork } from "./network/container-network.ts";
import { postStopHook } from "./post-stop.ts";
import { findLxcProcesses, type LxcProcesses, signalProcess, untilEnded } from "./running-container.ts";
import { reasonOf } from "./start-failure.ts";
import { inMountedDisk, lxcPath, mountedImage, quote } from "./start-script.ts";
import { StartsGate } from "./starts-gate.ts";

const watchMs = 200;
/** How long containers may take to shut down when the emulator itself ends. */
const farewellMs = 8000;
/** How long LXC may take to clean up after a container's end before it is done without it. */
const cleanUpMs = 5000;

interface Running {
  readonly processes: LxcProcesses;
  sample: { atMs: number; cpuUs: number };
  /** Its end was asked for, and is none to report. */
  asked?: boolean;
}

export interface LxcBackendOptions {
  readonly dataDir: string;
  readonly ids: IdRange;
  readonly disks: LxcDisks;
  readonly network: ContainerNetwork;
  readonly report: (line: string) => void;
}

/** Unprivileged containers of LXC, each with a network card, limits and a disk of its own. Needs root. */
export class LxcBackend implements ContainerBackend {
  readonly kind = "lxc";
  /** Clones are reached as root on port 22, which is what everybody expects. */
  readonly templateKeys: readonly RawLxcKey[] = [];
  readonly disks: LxcDisks;
  onEnd: ((vmid: number, reason: EndReason) => void) | undefined;

  readonly #options: LxcBackendOptions;
  readonly #dataDir: string;
  readonly #gate: StartsGate;
  readonly #postStop: string;
  readonly #running = new Map<number, Running>();
  readonly #starting = new Map<number, { abort: AbortController; done: Promise<unknown> }>();
  /** Containers that ended by themselves, until the last of their processes is gone. */
  readonly #ending = new Map<number, Promise<void>>();
  /** Containers that were rebooted from inside while no emulator ran, until somebody is told. */
  readonly #missedReboots = new Set<number>();
  readonly #watch: NodeJS.Timeout;

  constructor(options: LxcBackendOptions) {
    this.#options = options;
    this.#dataDir = options.dataDir;
    this.disks = options.disks;
    this.disks.monitorOf = (vmid) => this.#running.get(vmid)?.processes.monitor.pid;
    this.#gate = new StartsGate(options.dataDir);
    this.#postStop = join(options.dataDir, "post-stop");
    this.#watch = setInterval(() => this.#noticeEnds(), watchMs);
    this.#watch.unref();
  }

  get hostAddress(): string {
    return this.#options.network.hostAddress;
  }

  async adopt(vmids: readonly number[]): Promise<void> {
    await this.#gate.take();
    await raiseKernelQuotas(this.#options.report);
    await writeFile(this.#postStop, postStopHook, { mode: 0o700 });
    await emptyTrash(this.#dataDir);
    await this.disks.load();
    for (const vmid of vmids) {
      const processes = await findLxcProcesses(this.#name(vmid));
      if (!processes) {
        if ((await this.#endOf(vmid)) === "reboot") this.#missedReboots.add(vmid);
        continue;
      }
      this.#running.set(vmid, { processes, sample: { atMs: 0, cpuUs: 0 } });
      // A snapshot of it may have been under way.
      await thaw(processes.monitor.pid);
    }
    await this.#sweepStrays();
  }

  async start(vmid: number, settings: StartSettings): Promise<void> {
    await this.#ending.get(vmid);
    const abort = new AbortController();
    const done = this.#start(vmid, settings, abort.signal);
    this.#starting.set(vmid, { abort, done: done.catch(() => {}) });
    try {
      await done;
    } finally {
      this.#starting.delete(vmid);
    }
  }

  async shutdown(vmid: number, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    const running = this.#running.get(vmid);
    if (!running) return true;
    running.asked = true;
    if (await halt(running.processes, timeoutMs, signal)) {
      await this.kill(vmid);
      return true;
    }
    running.asked = false;
    return false;
  }

  async kill(vmid: number): Promise<void> {
    const starting = this.#starting.get(vmid);
    starting?.abort.abort();
    await starting?.done;
    await this.#ending.get(vmid);
    const running = this.#running.get(vmid);
    // Taken off the list first, so that nobody takes this for an end to report.
    this.#running.delete(vmid);
    if (running) signalProcess(running.processes.init, "SIGKILL");
    await this.#cleanUp(vmid, running?.processes);
  }

  async forget(vmid: number): Promise<void> {
    await this.#options.network.forget(vmid);
  }

  running(vmid: number): RunningContainer | undefined {
    const running = this.#running.get(vmid);
    return running && { pid: running.processes.init.pid, startedAtMs: running.processes.startedAtMs };
  }

  async usage(vmid: number): Promise<ContainerUsage> {
    const running = this.#running.get(vmid);
    if (!running) return { memoryBytes: 0, cores: 0 };
    const { memoryBytes, cpuUs } = await readUsage(this.#name(vmid));
    const last = running.sample;
    running.sample = { atMs: performance.now(), cpuUs };
    const elapsedUs = (running.sample.atMs - last.atMs) * 1000;
    const cores = last.atMs > 0 && elapsedUs > 0 ? Math.max(0, cpuUs - last.cpuUs) / elapsedUs : 0;
    return { memoryBytes, cores: Math.min(cores, availableParallelism()) };
  }

  async interfaces(vmid: number): Promise<readonly ContainerInterface[]> {
    const running = this.#running.get(vmid);
    if (!running) return [];
    const { init } = running.processes;
    return interfacesIn(init.pid).catch((error: unknown) => {
      // It may have ended just now.
      if (isRunning(init)) throw error;
      return [];
    });
  }

  async applyLimits(vmid: number, limits: ResourceLimits): Promise<void> {
    if (this.#running.has(vmid)) await changeLimits(this.#name(vmid), limits);
  }

  allowMachinePorts(ports: readonly number[], services: readonly MachineService[]): Promise<void> {
    return this.#options.network.allowMachinePorts(ports, services);
  }

  leave(): void {
    clearInterval(this.#watch);
    this.#running.clear();
    this.#options.network.leave();
  }

  /** Stops all containers, and takes their network down. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#watch);
    const all = new Set([...this.#running.keys(), ...this.#starting.keys()]);
    const ends = await Promise.allSettled(
      [...all].map(async (vmid) => {
        if (!(await this.shutdown(vmid, farewellMs)) || this.#starting.has(vmid)) await this.kill(vmid);
      }),
    );
    await Promise.all(this.#ending.values());
    await this.#options.network[Symbol.asyncDispose]();
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }

  async #start(vmid: number, settings: StartSettings, signal: AbortSignal): Promise<void> {
    const { ids, network } = this.#options;
    const paths = this.#paths(vmid);
    const name = this.#name(vmid);
    const record = this.disks.record(vmid);
    await this.#cleanUp(vmid);
    await this.disks.settleSize(vmid);
    const { hostname, nesting, rawKeys, cards, searchDomain } = settings;
    const networkKeys = await network.keysFor(vmid, cards);
    const config = lxcConfig({
      hostname,
      ids,
      limits: settings.limits,
      nesting,
      networkKeys,
      rawKeys,
      postStop: this.#postStop,
    });
    await writeFile(paths.config, config, { mode: 0o600 });
    for (const path of [paths.ended, paths.log]) await rm(path, { force: true });
    const nameservers = settings.nameservers ?? network.nameservers;
    const files = guestFilesOf({ hostname, cards, nameservers, searchDomain });
    const layers = record.layers.map((layer) => this.disks.layerPath(layer));
    const mounting = { image: paths.image, layers, ids, identity: record.identity };
    const words = inMountedDisk(mounting, lxcStart(name, paths), this.#gate.commands);
    try {
      await run("unshare", words, { input: packGuestFiles(files), signal, outlives: true });
      const processes = await findLxcProcesses(name);
      if (!processes) throw new Error("it ended as soon as it had started");
      this.#running.set(vmid, { processes, sample: { atMs: 0, cpuUs: 0 } });
    } catch (error) {
      await this.#cleanUp(vmid);
      if (signal.aborted) throw new Error("it was stopped while it started", { cause: error });
      throw await this.#explain(vmid, error, settings.log);
    }
  }

  async #explain(vmid: number, error: unknown, log: ((line: string) => void) | undefined): Promise<unknown> {
    const { cause, lines } = await reasonOf(this.#paths(vmid).log);
    for (const line of lines) log?.(line);
    if (cause !== undefined && error instanceof CommandFailed) return new Error(cause, { cause: error });
    return error;
  }

  /** Makes sure that nothing of a container runs, and that its disk is mounted nowhere. */
  async #cleanUp(vmid: number, processes?: LxcProcesses): Promise<void> {
    if (processes) await untilEnded(processes.monitor, cleanUpMs);
    await sweep(this.#name(vmid));
    await untilDetached(this.#paths(vmid).image);
  }

  /** Containers whose monitor is gone: what is left of them goes too, and somebody is told. */
  #noticeEnds(): void {
    if (!this.onEnd) return;
    for (const vmid of this.#missedReboots) this.onEnd(vmid, "reboot");
    this.#missedReboots.clear();
    for (const [vmid, running] of this.#running) {
      if (running.asked || isRunning(running.processes.monitor)) continue;
      this.#running.delete(vmid);
      this.#ending.set(
        vmid,
        this.#reportEnd(vmid).finally(() => this.#ending.delete(vmid)),
      );
    }
  }

  async #reportEnd(vmid: number): Promise<void> {
    await this.#cleanUp(vmid).catch((error: unknown) => this.#options.report(`container ${vmid}: ${String(error)}`));
    this.onEnd?.(vmid, await this.#endOf(vmid));
  }

  /** Why a container ended, as LXC has left it since its last start. */
  async #endOf(vmid: number): Promise<EndReason> {
    const word = await readFile(this.#paths(vmid).ended, "utf8").catch(() => "");
    return word.trim() === "reboot" ? "reboot" : "stopped";
  }

  /** Ends what is left of containers that do not run, among these and of ones that are gone altogether. */
  async #sweepStrays(): Promise<void> {
    for (const name of await namesOfGroups(prefixOf(this.#dataDir))) {
      const vmid = vmidOf(this.#dataDir, name);
      if (vmid === undefined || (this.#running.has(vmid) && name === this.#name(vmid))) continue;
      await sweep(name);
      await untilDetached(this.#paths(vmid).image);
    }
  }

  #paths(vmid: number): ContainerPaths {
    return new ContainerPaths(this.#dataDir, vmid);
  }

  #name(vmid: number): string {
    return containerName(this.#dataDir, vmid);
  }
}

function lxcStart(name: string, { config, log }: ContainerPaths): string {
  const files = `-f ${quote(config)} -o ${quote(log)} -l INFO`;
  // AppArmor's profile goes there.
  return `mkdir ${lxcPath}/${name}
PATH=/usr/sbin:/sbin exec /usr/bin/lxc-start -P ${lxcPath} -n ${name} ${files} -d\n`;
}

/** Lets the file system of a container be written again, if it was frozen. */
async function thaw(monitor: number): Promise<void> {
  await run("nsenter", ["-t", String(monitor), "-m", "--", "fsfreeze", "-u", mountedImage]).catch(() => {});
}
