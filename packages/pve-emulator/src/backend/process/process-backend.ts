import type { ChildProcess } from "node:child_process";
import { mkdir, readdir, rm, statfs } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { systemClock } from "@berth/base";
import { templateEnvironment } from "@berth/protocol";
import { findPayload, type PayloadSources } from "@berth/template";
import { isRunning } from "../../state/identify-process.ts";
import { Interrupted } from "../../tasks/task.ts";
import type {
  ContainerBackend,
  ContainerInterface,
  ContainerUsage,
  CopyOptions,
  EndReason,
  NetworkCard,
  RawLxcKey,
  RunningContainer,
  StartSettings,
  StorageSpace,
} from "../backend.ts";
import { ContainerFiles, copyFolder, emptyTrash, exists, folderBytes, renewIdentity } from "./container-files.ts";
import { findSshd, guestUser, sshPort, writeGuestFiles } from "./guest-files.ts";
import { Leases } from "./leases.ts";
import { processPaths } from "./process-paths.ts";
import { descendantsOf, listProcesses, pageBytes, rootOf, ticksPerSecond } from "./process-table.ts";
import { tagOfProcess, tagOfRoot } from "./process-tag.ts";
import { findInit, type InitState, spawnInit, waitForSsh } from "./running-process.ts";
import { subnetOf } from "./subnet.ts";
import { killContainer } from "./sweep.ts";
import { buildTemplateRoot } from "./template-root.ts";

/** What a disk of a real container would hold beside its own files: the programs that are the machine's own here. */
const borrowedBytes = 128 * 1024 * 1024;
const watchMs = 200;
/** How long containers may take to shut down when the emulator itself ends. */
const farewellMs = 6000;

interface Running {
  readonly state: InitState;
  readonly address: string;
  /** Only when this emulator started it: then its end must be awaited, or it stays as a zombie. */
  readonly child?: ChildProcess;
  sample: { atMs: number; ticks: number };
}

export interface ProcessBackendOptions {
  readonly dataDir: string;
  /** The secret of the controller's token, from which the bootstrap keys are derived. */
  readonly tokenSecret: string;
  readonly payload?: PayloadSources;
}

/**
 * Containers as processes of this machine: a folder as root, a loopback address of its own, and an init that runs
 * sshd and the template's units. Needs no privileges, and so shields nothing from anything.
 */
export class ProcessBackend implements ContainerBackend {
  readonly hostAddress = "127.0.0.1";
  readonly templateKeys: readonly RawLxcKey[] = [
    ["lxc.environment", `${templateEnvironment.sshPort}=${sshPort}`],
    ["lxc.environment", `${templateEnvironment.sshUser}=${guestUser()}`],
  ];
  onEnd: ((vmid: number, reason: EndReason) => void) | undefined;

  readonly #options: ProcessBackendOptions;
  readonly #leases: Leases;
  readonly #running = new Map<number, Running>();
  /** Containers that ended by themselves, until the last of their processes is gone. */
  readonly #ending = new Map<number, Promise<void>>();
  readonly #watch: NodeJS.Timeout;

  constructor(options: ProcessBackendOptions) {
    this.#options = options;
    this.#leases = new Leases(subnetOf(options.dataDir));
    this.#watch = setInterval(() => this.#noticeEnds(), watchMs);
    this.#watch.unref();
  }

  async adopt(vmids: readonly number[]): Promise<void> {
    await emptyTrash(this.#options.dataDir);
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

  async buildTemplate(vmid: number): Promise<boolean> {
    const payload = await findPayload(this.#options.payload);
    return buildTemplateRoot(this.#files(vmid), payload, this.#options.tokenSecret);
  }

  async copyDisk(source: number, snapshot: string | undefined, target: number, options: CopyOptions): Promise<void> {
    const from = this.#files(source);
    const to = this.#files(target);
    const bytes = await this.diskBytes(source);
    await throttle(bytes, options);
    await copyFolder(snapshot === undefined ? from.root : from.snapshot(snapshot), to.root);
    await renewIdentity(to.root);
    if (!options.linked) options.log(`Total bytes sent: ${bytes}`);
  }

  async removeDisk(vmid: number): Promise<void> {
    const files = this.#files(vmid);
    for (const path of [files.root, `${files.root}.new`, join(files.folder, "snapshots")]) await files.discard(path);
    for (const path of [files.lease, files.initState]) await rm(path, { force: true });
    this.#leases.release(vmid);
  }

  async diskBytes(vmid: number): Promise<number> {
    return borrowedBytes + (await folderBytes(this.#files(vmid).root));
  }

  async snapshots(vmid: number): Promise<readonly string[]> {
    return readdir(join(this.#files(vmid).folder, "snapshots")).catch(() => []);
  }

  async createSnapshot(vmid: number, name: string): Promise<void> {
    const files = this.#files(vmid);
    await files.replace(files.snapshot(name), files.root);
  }

  async removeSnapshot(vmid: number, name: string): Promise<void> {
    const files = this.#files(vmid);
    await files.discard(files.snapshot(name));
  }

  async rollBack(vmid: number, name: string): Promise<void> {
    const files = this.#files(vmid);
    await files.replace(files.root, files.snapshot(name));
  }

  async start(vmid: number, settings: StartSettings): Promise<void> {
    await this.#ending.get(vmid);
    const files = this.#files(vmid);
    const sshd = await findSshd();
    const address = await this.#leases.acquire(vmid, files);
    await rm(join(files.root, "run"), { recursive: true, force: true });
    await mkdir(join(files.root, "run"), { recursive: true });
    await writeGuestFiles(files.root, address, settings.hostname);
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

  async shutdown(vmid: number, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    const running = this.#running.get(vmid);
    if (!running) return true;
    await rm(join(this.#files(vmid).root, processPaths.rebootRequest), { force: true });
    signalProcess(running.state.pid, "SIGTERM");
    const deadline = performance.now() + timeoutMs;
    while (isRunning(running.state) && performance.now() < deadline && !signal?.aborted) await systemClock.sleep(10);
    if (isRunning(running.state)) return false;
    await this.kill(vmid);
    return true;
  }

  async kill(vmid: number): Promise<void> {
    await this.#ending.get(vmid);
    const running = this.#running.get(vmid);
    // Taken off the list first: this end was asked for, and is none to report.
    this.#running.delete(vmid);
    const files = this.#files(vmid);
    await killContainer(files.root, running && isRunning(running.state) ? running.state.pid : undefined);
    await rm(files.initState, { force: true });
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

  async interfaces(vmid: number, networkCards: readonly NetworkCard[]): Promise<readonly ContainerInterface[]> {
    const running = this.#running.get(vmid);
    if (!running) return [];
    const loopback: ContainerInterface = {
      name: "lo",
      mac: "00:00:00:00:00:00",
      addresses: [
        { address: "127.0.0.1", family: "inet", prefix: 8 },
        { address: "::1", family: "inet6", prefix: 128 },
      ],
    };
    // All cards lead to the one address there is; link-local ones are what the kernel would make of the MAC.
    const cards = networkCards.map(({ name, mac }, index): ContainerInterface => {
      const address = { address: running.address, family: "inet", prefix: 8 } as const;
      const linkLocal = { address: linkLocalAddress(mac), family: "inet6", prefix: 64 } as const;
      return { name, mac, addresses: index === 0 ? [address, linkLocal] : [linkLocal] };
    });
    return [loopback, ...cards];
  }

  async space(): Promise<StorageSpace> {
    const { blocks, bavail, bsize } = await statfs(this.#options.dataDir);
    return { totalBytes: blocks * bsize, availableBytes: bavail * bsize };
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
    return new ContainerFiles(this.#options.dataDir, vmid);
  }

  /** Containers whose init is gone: what is left of them goes too, and somebody is told. */
  #noticeEnds(): void {
    for (const [vmid, running] of this.#running) {
      if (isRunning(running.state)) continue;
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
    const folder = join(this.#options.dataDir, "containers");
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

/** Waits for as long as a copy of so many bytes takes at the speed asked for. */
async function throttle(bytes: number, options: CopyOptions): Promise<void> {
  if (options.signal.aborted) throw new Interrupted();
  if (!options.bytesPerSecond) return;
  try {
    await systemClock.sleep((bytes / options.bytesPerSecond) * 1000, options.signal);
  } catch {
    throw new Interrupted();
  }
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended meanwhile.
  }
}

/** The address that the kernel gives a card by itself (RFC 4291, appendix A). */
function linkLocalAddress(mac: string): string {
  const bytes = mac.split(":").map((part) => Number.parseInt(part, 16));
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = bytes;
  const groups = [((a ^ 2) << 8) | b, (c << 8) | 0xff, 0xfe00 | d, (e << 8) | f];
  return `fe80::${groups.map((group) => group.toString(16)).join(":")}`;
}
