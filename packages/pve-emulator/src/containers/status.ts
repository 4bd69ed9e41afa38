import { availableParallelism } from "node:os";
import type { Emulation } from "../emulation.ts";
import type { Container } from "./container.ts";
import { isTemplate } from "./container.ts";
import { diskSize } from "./root-disk.ts";

const mebibyte = 1024 * 1024;
/** How long a measured disk usage is used again. */
const diskUsageLifetimeMs = 30_000;

/** A container as lists and `status/current` show it. */
export interface ContainerStatus {
  readonly vmid: number;
  readonly type: "lxc";
  readonly status: "running" | "stopped";
  readonly name: string;
  readonly cpus: number;
  readonly maxmem: number;
  readonly maxswap: number;
  readonly maxdisk: number;
  readonly mem: number;
  readonly swap: number;
  readonly disk: number;
  /** Share of the container's processors in use, 0 to 1. */
  readonly cpu: number;
  /** Seconds. */
  readonly uptime: number;
  readonly netin: number;
  readonly netout: number;
  readonly diskread: number;
  readonly diskwrite: number;
  readonly pid?: number;
  readonly tags?: string;
  readonly lock?: string;
  readonly template?: 1;
}

/** Reads the status of containers, and measures what they use. */
export class StatusReader {
  readonly #emulation: Emulation;
  readonly #diskUsage = new Map<number, { atMs: number; bytes: number }>();

  constructor(emulation: Emulation) {
    this.#emulation = emulation;
  }

  async read(container: Container): Promise<ContainerStatus> {
    const { backend, clock } = this.#emulation;
    const { vmid, values } = container;
    const running = backend.running(vmid);
    const usage = running ? await backend.usage(vmid) : { memoryBytes: 0, cores: 0 };
    const cpus = Number(values.cores ?? availableParallelism());
    return {
      vmid,
      type: "lxc",
      status: running ? "running" : "stopped",
      name: values.hostname ?? `CT${vmid}`,
      cpus,
      maxmem: Number(values.memory ?? 512) * mebibyte,
      maxswap: Number(values.swap ?? 512) * mebibyte,
      maxdisk: diskSize(container),
      mem: usage.memoryBytes,
      swap: 0,
      disk: running ? await this.#diskBytes(vmid) : 0,
      cpu: Math.min(1, usage.cores / cpus),
      uptime: running ? Math.max(0, Math.floor((clock.now() - running.startedAtMs) / 1000)) : 0,
      netin: 0,
      netout: 0,
      diskread: 0,
      diskwrite: 0,
      ...(running ? { pid: running.pid } : {}),
      ...(values.tags === undefined ? {} : { tags: values.tags }),
      ...(values.lock === undefined ? {} : { lock: values.lock }),
      ...(isTemplate(container) ? { template: 1 } : {}),
    };
  }

  async #diskBytes(vmid: number): Promise<number> {
    const now = this.#emulation.clock.now();
    const known = this.#diskUsage.get(vmid);
    if (known && now - known.atMs < diskUsageLifetimeMs) return known.bytes;
    const bytes = await this.#emulation.backend.disks.usedBytes(vmid);
    this.#diskUsage.set(vmid, { atMs: now, bytes });
    return bytes;
  }
}
