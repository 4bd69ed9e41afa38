import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { SerialQueue } from "@berth/base";
import { ApiError } from "../http/api-error.ts";
import { loadJson, saveJson } from "../state/json-file.ts";
import { type Container, containerSchema } from "./container.ts";
import { removeContainerFolder } from "./container-folder.ts";

interface Entry {
  readonly container: Container;
  /** Writes of its file, in order. */
  readonly writes: SerialQueue;
  /** Operations that must not overlap: start, stop, snapshot and the like. */
  readonly operations: SerialQueue;
}

/**
 * The containers' configurations: all in memory, each in a file of its own. A change is made in memory without a pause,
 * so that no other call sees half of it, and is acknowledged when its file is on disk.
 */
export class ContainerStore {
  readonly node: string;
  readonly #dataDir: string;
  readonly #entries = new Map<number, Entry>();

  private constructor(dataDir: string, node: string) {
    this.#dataDir = dataDir;
    this.node = node;
  }

  static async open(dataDir: string, node: string): Promise<ContainerStore> {
    const store = new ContainerStore(dataDir, node);
    const folder = join(dataDir, "containers");
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(folder)) {
      const container = await loadJson(join(folder, name, "config.json"), containerSchema);
      if (container) store.#add(container);
      // A folder without configuration is what a crash left of a container that was being made or removed.
      else await removeContainerFolder(dataDir, name);
    }
    return store;
  }

  /** All containers by ascending vmid. */
  all(): Container[] {
    return [...this.#entries.values()].map(({ container }) => container).sort((a, b) => a.vmid - b.vmid);
  }

  find(vmid: number): Container | undefined {
    return this.#entries.get(vmid)?.container;
  }

  /** The container; throws what PVE says when there is none. */
  require(vmid: number): Container {
    const container = this.find(vmid);
    if (container) return container;
    throw ApiError.died(`Configuration file 'nodes/${this.node}/lxc/${vmid}.conf' does not exist`);
  }

  /** Adds a container: its id is taken at once, before this resolves. */
  async create(container: Container): Promise<void> {
    if (this.#entries.has(container.vmid)) {
      throw ApiError.died(`CT ${container.vmid} already exists on node '${this.node}'`);
    }
    this.#add(container);
    try {
      await mkdir(this.#folder(container.vmid), { recursive: true, mode: 0o700 });
      await this.save(container);
    } catch (error) {
      this.#entries.delete(container.vmid);
      throw error;
    }
  }

  /** Writes a container that was changed in memory. */
  async save(container: Container): Promise<void> {
    const entry = this.#entries.get(container.vmid);
    if (entry?.container !== container) return;
    await entry.writes.run(() => saveJson(join(this.#folder(container.vmid), "config.json"), container));
  }

  /** Forgets a container and removes its folder; its disk is gone by then. */
  async remove(container: Container): Promise<void> {
    const entry = this.#entries.get(container.vmid);
    await entry?.writes.run(() => removeContainerFolder(this.#dataDir, String(container.vmid)));
    this.#entries.delete(container.vmid);
  }

  /** Runs an operation on a container when those before it have ended. */
  exclusive<T>(vmid: number, operation: () => Promise<T>): Promise<T> {
    const entry = this.#entries.get(vmid);
    return entry ? entry.operations.run(operation) : operation();
  }

  #add(container: Container): void {
    const entry = { container, writes: new SerialQueue(), operations: new SerialQueue() };
    this.#entries.set(container.vmid, entry);
  }

  #folder(vmid: number): string {
    return join(this.#dataDir, "containers", String(vmid));
  }
}
