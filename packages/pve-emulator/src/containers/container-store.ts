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
  /** Where new ones are made. */
  readonly node: string;
  readonly #dataDir: string;
  /** Of all hosts, which share it: an id is the cluster's. */
  readonly #entries: Map<number, Entry>;
  /** Only this host's containers are there, for who asks. */
  readonly #only: boolean;

  private constructor(dataDir: string, node: string, entries: Map<number, Entry>, only: boolean) {
    this.#dataDir = dataDir;
    this.node = node;
    this.#entries = entries;
    this.#only = only;
  }

  /** Those of the whole cluster. */
  static async open(dataDir: string, node: string): Promise<ContainerStore> {
    const store = new ContainerStore(dataDir, node, new Map(), false);
    const folder = join(dataDir, "containers");
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(folder)) {
      const container = await loadJson(join(folder, name, "config.json"), containerSchema);
      if (container) store.#add({ ...container, node: container.node ?? node });
      // A folder without configuration is what a crash left of a container that was being made or removed.
      else await removeContainerFolder(dataDir, name);
    }
    return store;
  }

  /** Those of one host. */
  onNode(node: string): ContainerStore {
    return new ContainerStore(this.#dataDir, node, this.#entries, true);
  }

  /** All containers by ascending vmid. */
  all(): Container[] {
    const containers = [...this.#entries.values()].map(({ container }) => container);
    return containers.filter((one) => this.#shows(one)).sort((a, b) => a.vmid - b.vmid);
  }

  /** Those of all hosts, whoever asks. */
  everywhere(): Container[] {
    return [...this.#entries.values()].map(({ container }) => container);
  }

  find(vmid: number): Container | undefined {
    const found = this.#entries.get(vmid)?.container;
    return found && this.#shows(found) ? found : undefined;
  }

  /** Puts a container on another host; it is to be saved then. */
  move(container: Container, node: string): void {
    container.node = node;
  }

  /** The container; throws what PVE says when there is none. */
  require(vmid: number): Container {
    const container = this.find(vmid);
    if (container) return container;
    throw ApiError.died(`Configuration file 'nodes/${this.node}/lxc/${vmid}.conf' does not exist`);
  }

  /** Adds a container: its id is taken at once, before this resolves. */
  async create(container: Container): Promise<void> {
    const there = this.#entries.get(container.vmid)?.container;
    if (there) throw ApiError.died(`CT ${container.vmid} already exists on node '${there.node ?? this.node}'`);
    container.node = this.node;
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

  #shows({ node }: Container): boolean {
    return !this.#only || node === this.node;
  }

  #add(container: Container): void {
    const entry = { container, writes: new SerialQueue(), operations: new SerialQueue() };
    this.#entries.set(container.vmid, entry);
  }

  #folder(vmid: number): string {
    return join(this.#dataDir, "containers", String(vmid));
  }
}
