import type { Clock } from "@berth/base";
import type { Rights } from "./access/rights.ts";
import type { ContainerBackend } from "./backend/backend.ts";
import type { ContainerStore } from "./containers/container-store.ts";
import type { PoolStore } from "./pools/pool-store.ts";
import type { Archives } from "./storage/archives.ts";
import type { TaskList } from "./tasks/task-list.ts";

/** The names of what a bundled Proxmox consists of. */
export interface Site {
  readonly node: string;
  readonly storage: string;
  readonly bridge: string;
  readonly pool: string;
  readonly template: number;
  /** SHA-256 of the certificate, `AA:BB:…`. */
  readonly fingerprint: string;
}

/** Everything that handlers work on. */
export interface Emulation {
  readonly site: Site;
  readonly clock: Clock;
  readonly rights: Rights;
  readonly tasks: TaskList;
  readonly pools: PoolStore;
  readonly store: ContainerStore;
  readonly archives: Archives;
  readonly backend: ContainerBackend;
  /** One line a life-cycle change. */
  readonly report: (line: string) => void;
}
