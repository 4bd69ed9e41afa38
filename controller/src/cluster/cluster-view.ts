import type { Clock } from "@berth/base";
import type { ContainerPlace, ProxmoxClient } from "@berth/proxmox";

/** The cluster's containers by id. */
export type ContainerList = ReadonlyMap<number, ContainerPlace>;

export interface ClusterViewDependencies {
  client: ProxmoxClient;
  clock: Clock;
}

/**
 * What the cluster's list last showed of all containers: one call however large the fleet, shared by everybody who asks
 * at that moment. The list may be ten seconds old on Proxmox's own side, and tells neither owner nor address, so it
 * serves for **noticing and for choosing where to look first**, never for deciding what to do.
 */
export class ClusterView {
  readonly #client: ProxmoxClient;
  readonly #clock: Clock;
  readonly #containers: SharedRead<ContainerList>;
  readonly #nodes: SharedRead<readonly string[]>;

  constructor({ client, clock }: ClusterViewDependencies) {
    this.#client = client;
    this.#clock = clock;
    this.#containers = new SharedRead(this.#clock, async () => {
      const containers = await this.#client.cluster.places();
      return new Map(containers.map((container) => [container.vmid, container]));
    });
    this.#nodes = new SharedRead(this.#clock, async () => {
      const nodes = await this.#client.cluster.nodes();
      return nodes.filter(({ online }) => online).map(({ node }) => node);
    });
  }

  /** The containers, read at most `maxAgeMs` ago; by default now. Throws a ProxmoxError when they cannot be read. */
  containers(maxAgeMs = 0): Promise<ContainerList> {
    return this.#containers.get(maxAgeMs);
  }

  /** The container of an id as the last reading showed it; undefined if there was none, or no reading. */
  lastSeen(vmid: number): ContainerPlace | undefined {
    return this.#containers.last?.get(vmid);
  }

  /** The names of the nodes that are online, read at most `maxAgeMs` ago. Throws like `containers`. */
  onlineNodes(maxAgeMs: number): Promise<readonly string[]> {
    return this.#nodes.get(maxAgeMs);
  }
}

/** One question whose answer everybody shares who asks while it is on its way, or who takes an older one. */
export class SharedRead<T> {
  readonly #clock: Clock;
  readonly #read: () => Promise<T>;
  #known: { readonly at: number; readonly value: T } | undefined;
  #reading: Promise<T> | undefined;

  constructor(clock: Clock, read: () => Promise<T>) {
    this.#clock = clock;
    this.#read = read;
  }

  get last(): T | undefined {
    return this.#known?.value;
  }

  get(maxAgeMs: number): Promise<T> {
    const known = this.#known;
    if (known && maxAgeMs > 0 && this.#clock.now() - known.at <= maxAgeMs) return Promise.resolve(known.value);
    this.#reading ??= this.#ask().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #ask(): Promise<T> {
    const at = this.#clock.now();
    const value = await this.#read();
    this.#known = { at, value };
    return value;
  }
}
