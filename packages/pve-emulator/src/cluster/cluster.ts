/** How a host of the cluster is to be. */
export interface NodeOptions {
  readonly name: string;
  /** Without them, those of this machine. */
  readonly cores?: number;
  readonly memoryBytes?: number;
}

/** Storages on which a template's clones can share its disk, and which have snapshots; and others. */
const linkable = ["btrfs", "zfspool", "lvmthin", "rbd"] as const;
export type StorageType = (typeof linkable)[number] | "dir" | "nfs";

/** How a storage for containers' disks is to be. */
export interface StorageOptions {
  readonly storage: string;
  readonly type: StorageType;
  /** All nodes that have it see the same. */
  readonly shared?: boolean;
  /** The nodes that have it; all by default. */
  readonly nodes?: readonly string[];
  /** Without it, the space of the disk that the data folder is on. */
  readonly totalBytes?: number;
}

/** Where a template is. */
export interface TemplatePlace {
  readonly vmid: number;
  readonly node: string;
  readonly storage: string;
}

/** What an emulated cluster consists of. */
export interface ClusterOptions {
  readonly nodes: readonly NodeOptions[];
  readonly storages: readonly StorageOptions[];
  readonly templates: readonly TemplatePlace[];
}

/** Hosts of one cluster, called `pve1` and so on: the template is on the storage that they share. */
export function clusterOf(count: number): ClusterOptions {
  const nodes = Array.from({ length: count }, (_, index) => ({ name: `pve${index + 1}` }));
  return {
    nodes,
    storages: [
      { storage: "local-btrfs", type: "btrfs" },
      { storage: "shared", type: "rbd", shared: true },
    ],
    templates: [{ vmid: 150, node: "pve1", storage: "shared" }],
  };
}

/** A host, and what has become of it. That lives in memory only: a restart has all hosts in order. */
export interface ClusterNode {
  readonly name: string;
  readonly cores: number | undefined;
  readonly memoryBytes: number | undefined;
  /** SHA-256 of its certificate, `AA:BB:…`. */
  readonly fingerprint: string;
  online: boolean;
  /** As its HA manager says. */
  maintenance: boolean;
  /** What it uses itself, its containers apart. */
  ownMemoryBytes: number;
}

/** The hosts and storages of an emulated cluster. */
export class Cluster {
  readonly nodes: readonly ClusterNode[];
  readonly storages: readonly StorageOptions[];
  readonly templates: readonly TemplatePlace[];
  /** Bytes that others use, by storage and, unless that is shared, node. */
  readonly #filled = new Map<string, number>();

  constructor(options: ClusterOptions, fingerprintOf: (node: string) => string) {
    this.nodes = options.nodes.map(({ name, cores, memoryBytes }) => ({
      ...{ name, cores, memoryBytes, fingerprint: fingerprintOf(name) },
      ...{ online: true, maintenance: false, ownMemoryBytes: 0 },
    }));
    this.storages = options.storages;
    this.templates = options.templates;
  }

  find(name: string): ClusterNode | undefined {
    return this.nodes.find((node) => node.name === name);
  }

  /** The storages for containers' disks that a node has. */
  storagesOn(node: string): readonly StorageOptions[] {
    return this.storages.filter(({ nodes }) => nodes === undefined || nodes.includes(node));
  }

  /** Has others use so many bytes of a storage, as one node sees it. */
  fill(storage: StorageOptions, node: string, bytes: number): void {
    this.#filled.set(keyOf(storage, node), bytes);
  }

  filledBytes(storage: StorageOptions, node: string): number {
    return this.#filled.get(keyOf(storage, node)) ?? 0;
  }
}

/** Whether a clone of a template on it can share its disk. */
export function canLink(type: StorageType): boolean {
  return linkable.some((one) => one === type);
}

/** Whether snapshots can be taken of a container's disk on it. */
export function hasSnapshots(type: StorageType): boolean {
  return canLink(type);
}

function keyOf({ storage, shared }: StorageOptions, node: string): string {
  return shared ? storage : `${storage}@${node}`;
}
