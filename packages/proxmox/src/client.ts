import { type Proxmox, proxmoxApi } from "proxmox-api";
import { ClusterApi } from "./api/cluster.ts";
import { Connection } from "./api/connection.ts";
import { ContainersApi } from "./api/containers.ts";
import { NodesApi } from "./api/nodes.ts";
import { SnapshotsApi } from "./api/snapshots.ts";
import { StoragesApi } from "./api/storages.ts";
import { TasksApi } from "./api/tasks.ts";
import { Transport } from "./transport.ts";
import type { CallOptions, TransportOptions } from "./transport-options.ts";

/**
 * A typed client of a Proxmox VE cluster. Every call may throw a ProxmoxError; only GETs are ever repeated. Dispose it
 * to close its connections.
 */
export class ProxmoxClient implements AsyncDisposable {
  readonly transport: Transport;
  readonly cluster: ClusterApi;
  readonly containers: ContainersApi;
  readonly nodes: NodesApi;
  readonly snapshots: SnapshotsApi;
  readonly storages: StoragesApi;
  readonly tasks: TasksApi;

  /** Throws a ProxmoxError of kind `settings` for options that cannot work. Connects on the first call. */
  constructor(options: TransportOptions) {
    this.transport = new Transport(options);
    const connection = new Connection(this.transport);
    this.cluster = new ClusterApi(connection);
    this.containers = new ContainersApi(connection);
    this.nodes = new NodesApi(connection);
    this.snapshots = new SnapshotsApi(connection);
    this.storages = new StoragesApi(connection);
    this.tasks = new TasksApi(connection);
  }

  /** The whole API through proxmox-api's proxy, for what has no method here. Its answers are not checked. */
  api(call: CallOptions = {}): Proxmox.Api {
    return proxmoxApi(this.transport.bound(call));
  }

  /** Ends all calls and closes all connections. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.transport[Symbol.asyncDispose]();
  }
}
