import type { Clock } from "@berth/base";
import type { Rights } from "./access/rights.ts";
import type { ContainerBackend } from "./backend/backend.ts";
import type { Cluster } from "./cluster/cluster.ts";
import type { ContainerStore } from "./containers/container-store.ts";
import type { PoolStore } from "./pools/pool-store.ts";
import type { Archives } from "./storage/archives.ts";
import type { Tasks } from "./tasks/task-list.ts";

/** The names of what a bundled Proxmox consists of. */
export interface Site {
  /** The host that is asked. */
  readonly node: string;
  /** Where disks go, where nothing else is said. */
  readonly storage: string;
  readonly bridge: string;
  readonly pool: string;
}

/** Everything that handlers work on: of the cluster as a whole, or as one of its hosts has it. */
export interface Emulation {
  readonly site: Site;
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly rights: Rights;
  readonly tasks: Tasks;
  readonly pools: PoolStore;
  readonly store: ContainerStore;
  readonly archives: Archives;
  readonly backend: ContainerBackend;
  /** One line a life-cycle change. */
  readonly report: (line: string) => void;
}

/** The emulation as one host has it: with its containers and tasks alone. */
export function onNode(emulation: Emulation, node: string): Emulation {
  const { site, store, tasks } = emulation;
  return { ...emulation, site: { ...site, node }, store: store.onNode(node), tasks: tasks.onNode(node) };
}
