import type { Clock } from "@berth/base";
import { guestPaths, templateEnvironment } from "@berth/protocol";
import type {
  ContainerBackend,
  ContainerInterface,
  ContainerUsage,
  EndReason,
  NetworkCard,
  RawLxcKey,
  RunningContainer,
  StartSettings,
} from "../backend.ts";
import { interfacesOf } from "../process/interfaces.ts";
import { addressesOf, type Subnet } from "../process/subnet.ts";
import { MemoryDisks, type MemoryRoot } from "./memory-disks.ts";

/** A container that is booting. */
export interface MemoryGuest {
  readonly vmid: number;
  readonly hostname: string;
  /** An address of loopback that is its own. */
  readonly address: string;
  /** Its files, which it may change. */
  readonly root: MemoryRoot;
  /** Of its init: a number that no other container ever had here, and no process of the machine. */
  readonly pid: number;
  /** What runs in it says that it has ended by itself; nothing is killed any more then. */
  ended(reason: EndReason): void;
}

/** What runs in a container. */
export interface BootedGuest {
  /** Ends all of it at once. */
  kill(): void;
}

export interface MemoryBackendOptions {
  readonly clock: Clock;
  readonly tokenSecret: string;
  readonly subnet: Subnet;
  /** Where sshd listens in containers, and whom it knows. */
  readonly sshPort: number;
  readonly sshUser: string;
  /** Runs what runs in a container. Rejects when it cannot. */
  boot(guest: MemoryGuest): Promise<BootedGuest>;
}

interface Running {
  readonly pid: number;
  readonly startedAtMs: number;
  readonly address: string;
  readonly guest: BootedGuest;
}

/** How long things take, in milliseconds of the clock. */
const times = { startMs: 300, addressMs: 400, shutdownMs: 400, killMs: 100 } as const;

/**
 * Containers that exist in memory alone, and as long as this object: for tests in which thousands are made. What runs in
 * them is the test's; everything takes a time of the injected clock, and as good as none of the machine's.
 */
export class MemoryBackend implements ContainerBackend {
  readonly kind = "process";
  readonly hostAddress = "127.0.0.1";
  readonly templateKeys: readonly RawLxcKey[];
  onEnd: ((vmid: number, reason: EndReason) => void) | undefined;
  readonly disks: MemoryDisks;
  readonly #options: MemoryBackendOptions;
  readonly #running = new Map<number, Running>();
  readonly #addresses = new Map<number, string>();
  #nextPid = 1_000;

  constructor(options: MemoryBackendOptions) {
    this.#options = options;
    this.disks = new MemoryDisks(options.clock, options.tokenSecret);
    this.templateKeys = [
      ["lxc.environment", `${templateEnvironment.sshPort}=${options.sshPort}`],
      ["lxc.environment", `${templateEnvironment.sshUser}=${options.sshUser}`],
    ];
  }

  async adopt(): Promise<void> {}

  async start(vmid: number, settings: StartSettings): Promise<void> {
    const { clock, boot } = this.#options;
    const root = this.disks.root(vmid);
    await clock.sleep(times.startMs);
    const address = this.#addressOf(vmid);
    root.set(guestPaths.hostname, `${settings.hostname}\n`);
    this.#nextPid += 1;
    const pid = this.#nextPid;
    const ended = (reason: EndReason) => this.#endedByItself(vmid, pid, reason);
    const guest = await boot({ vmid, hostname: settings.hostname, address, root, pid, ended });
    this.#running.set(vmid, { pid, startedAtMs: clock.now(), address, guest });
  }

  async applyLimits(): Promise<void> {}

  async allowMachinePorts(): Promise<void> {}

  async shutdown(vmid: number, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    const { clock } = this.#options;
    await clock.sleep(Math.min(times.shutdownMs, timeoutMs), signal).catch(() => {});
    if (signal?.aborted || timeoutMs < times.shutdownMs) return !this.#running.has(vmid);
    this.#end(vmid);
    return true;
  }

  async kill(vmid: number): Promise<void> {
    if (this.#running.has(vmid)) await this.#options.clock.sleep(times.killMs);
    this.#end(vmid);
  }

  async forget(vmid: number): Promise<void> {
    this.#addresses.delete(vmid);
  }

  leave(): void {
    for (const vmid of [...this.#running.keys()]) this.#end(vmid);
  }

  running(vmid: number): RunningContainer | undefined {
    return this.#running.get(vmid);
  }

  async usage(): Promise<ContainerUsage> {
    return { memoryBytes: 32 * 1024 * 1024, cores: 0.01 };
  }

  async interfaces(vmid: number, cards: readonly NetworkCard[]): Promise<readonly ContainerInterface[]> {
    const running = this.#running.get(vmid);
    if (!running || this.#options.clock.now() - running.startedAtMs < times.addressMs) return [];
    return interfacesOf(running.address, cards);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.leave();
  }

  #end(vmid: number): void {
    const running = this.#running.get(vmid);
    this.#running.delete(vmid);
    running?.guest.kill();
  }

  #endedByItself(vmid: number, pid: number, reason: EndReason): void {
    if (this.#running.get(vmid)?.pid !== pid) return;
    this.#running.delete(vmid);
    this.onEnd?.(vmid, reason);
  }

  /** A container keeps its address for life. */
  #addressOf(vmid: number): string {
    const taken = new Set(this.#addresses.values());
    const address = this.#addresses.get(vmid) ?? [...addressesOf(this.#options.subnet)].find((one) => !taken.has(one));
    if (address === undefined) throw new Error("no address is free");
    this.#addresses.set(vmid, address);
    return address;
  }
}
