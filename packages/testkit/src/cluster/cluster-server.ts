import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";

/** A container of a `ClusterServer`. */
export interface ListedContainer {
  readonly vmid: number;
  readonly name: string;
  readonly description: string;
  readonly status: "running" | "stopped";
  /** Where it is. */
  readonly node: string;
  /** IPv4, shown while it runs. */
  readonly address: string;
}

/** What is asked of a `ClusterServer`, by kind. */
export type CallKind =
  | "list"
  | "nodes"
  | "config"
  | "status"
  | "interfaces"
  | "act"
  | "task"
  /** Of a container that is not there. */
  | "missing"
  | "other";

/** One call as the server saw it. */
export interface SeenCall {
  readonly kind: CallKind;
  /** The container that it is about; undefined for lists and tasks. */
  readonly vmid: number | undefined;
}

export interface ClusterServerOptions {
  readonly nodes: readonly string[];
  /** PEM. */
  readonly certificate: string;
  readonly privateKey: string;
  readonly containers: readonly ListedContainer[];
  onCall?(call: SeenCall): void;
}

/**
 * A Proxmox with any number of containers that are nothing but entries of its lists: over real HTTPS it answers what
 * looking at them takes, and starting them. Tasks run until `endTasks`. For how much is asked, not for what happens:
 * that is the emulator's.
 */
export class ClusterServer {
  readonly #options: ClusterServerOptions;
  readonly #server: Server;
  readonly #containers: Map<number, ListedContainer>;
  /** By id: the container that a start is for. */
  readonly #tasks = new Map<string, number>();
  /** What the list shows instead of the present state. */
  #staleList: readonly object[] | undefined;

  private constructor(options: ClusterServerOptions) {
    this.#options = options;
    this.#containers = new Map(options.containers.map((container) => [container.vmid, container]));
    this.#server = createServer({ cert: options.certificate, key: options.privateKey }, (request, response) => {
      request.resume();
      request.once("end", () => this.#answer(request, response));
    });
  }

  static async start(options: ClusterServerOptions): Promise<ClusterServer> {
    const cluster = new ClusterServer(options);
    await new Promise<void>((resolve) => cluster.#server.listen(0, "127.0.0.1", resolve));
    return cluster;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Changes a container behind everybody's back. */
  change(vmid: number, change: Partial<Omit<ListedContainer, "vmid">>): void {
    const container = this.#containers.get(vmid);
    if (container) this.#containers.set(vmid, { ...container, ...change });
  }

  remove(vmid: number): void {
    this.#containers.delete(vmid);
  }

  /** From now on the list shows what is now, whatever happens. */
  freezeList(): void {
    this.#staleList = this.#list();
  }

  /** All tasks end well, and have done what they were for. */
  endTasks(): void {
    for (const vmid of this.#tasks.values()) this.change(vmid, { status: "running" });
    this.#tasks.clear();
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", "https://cluster");
    const path = url.pathname.replace(/^\/api2\/json/, "");
    const { call, data } = this.#handle(request.method ?? "GET", path);
    this.#options.onCall?.(call);
    if (data !== undefined) {
      response.writeHead(200, { "content-type": "application/json;charset=UTF-8" }).end(JSON.stringify(data));
    } else if (call.kind === "missing") {
      response
        .writeHead(500, `Configuration file 'nodes/${path.split("/")[2]}/lxc/${call.vmid}.conf' does not exist`)
        .end();
    } else response.writeHead(501, `Method '${request.method} ${path}' not implemented`).end();
  }

  #handle(method: string, path: string): { call: SeenCall; data: object | undefined } {
    if (path === "/cluster/resources") {
      return { call: { kind: "list", vmid: undefined }, data: { data: this.#staleList ?? this.#list() } };
    }
    if (path === "/nodes") {
      const nodes = this.#options.nodes.map((node) => ({ node, status: "online", type: "node" }));
      return { call: { kind: "nodes", vmid: undefined }, data: { data: nodes } };
    }
    const [, upid, part] = /^\/nodes\/[^/]+\/tasks\/([^/]+)\/(status|log)$/.exec(path) ?? [];
    if (upid !== undefined) return { call: { kind: "task", vmid: undefined }, data: this.#task(upid, part) };
    const [, node, id, what] = /^\/nodes\/([^/]+)\/lxc\/(\d+)\/(.+)$/.exec(path) ?? [];
    if (what === undefined) return { call: { kind: "other", vmid: undefined }, data: undefined };
    const container = this.#containers.get(Number(id));
    if (container?.node === node && container) return this.#about(container, method, what);
    return { call: { kind: "missing", vmid: Number(id) }, data: undefined };
  }

  #about(container: ListedContainer, method: string, what: string): { call: SeenCall; data: object | undefined } {
    const { vmid } = container;
    const running = container.status === "running";
    const as = (kind: CallKind, data: unknown) => ({ call: { kind, vmid }, data: { data } });
    if (method === "GET" && what === "config") return as("config", this.#config(container));
    if (method === "GET" && what === "status/current") {
      return as("status", { status: container.status, vmid, name: container.name, uptime: running ? 60 : 0 });
    }
    if (method === "GET" && what === "interfaces") return as("interfaces", running ? interfaces(container) : null);
    if (method === "POST" && what === "status/start") return as("act", this.#begin(container));
    return { call: { kind: "other", vmid }, data: undefined };
  }

  #begin({ vmid, node }: ListedContainer): string {
    const number = (this.#tasks.size + 1).toString(16).padStart(8, "0").toUpperCase();
    const upid = `UPID:${node}:${number}:00000001:65000000:vzstart:${vmid}:berth@pve!t:`;
    this.#tasks.set(upid, vmid);
    return upid;
  }

  #task(encoded: string, part: string | undefined): object {
    const upid = decodeURIComponent(encoded);
    if (part === "log") return { data: [], total: 0 };
    return {
      data: this.#tasks.has(upid) ? { status: "running", upid } : { status: "stopped", exitstatus: "OK", upid },
    };
  }

  #list(): object[] {
    return [...this.#containers.values()].map(entry);
  }

  #config({ vmid, name, description }: ListedContainer) {
    return {
      ...{ arch: "amd64", ostype: "debian", hostname: name, description: `${description}\n`, tags: "berth" },
      ...{ cores: 2, memory: 2048, swap: 512, unprivileged: 1, features: "nesting=1" },
      net0: `name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:${hex(vmid >> 8)}:${hex(vmid)},ip=dhcp,type=veth`,
      rootfs: `local-lvm:vm-${vmid}-disk-0,size=8G`,
      digest: "5d8f3ba1a5d8a1a1a5d8f3ba1a5d8a1a1a5d8f3b",
    };
  }
}

/** With everything that PVE says of a container in its list. */
function entry({ vmid, name, status, node }: ListedContainer) {
  return {
    ...{ id: `lxc/${vmid}`, type: "lxc", node, vmid, name, status, template: 0, tags: "berth" },
    ...{ cpu: 0.0012, maxcpu: 2, mem: 61_865_984, maxmem: 2_147_483_648, disk: 734_003_200, maxdisk: 8_589_934_592 },
    ...{ netin: 1_234_567, netout: 7_654_321, diskread: 104_857_600, diskwrite: 52_428_800, uptime: 86_400 },
    ...{ pool: "sandboxes" },
  };
}

function hex(byte: number): string {
  return (byte & 255).toString(16).padStart(2, "0").toUpperCase();
}

function interfaces({ address }: ListedContainer) {
  const entry = (name: string, inet: string) => ({
    ...{ name, hwaddr: "bc:24:11:00:00:01", "hardware-address": "bc:24:11:00:00:01", inet: `${inet}/24` },
    "ip-addresses": [{ "ip-address": inet, "ip-address-type": "inet", prefix: "24" }],
  });
  return [entry("lo", "127.0.0.1"), entry("docker0", "172.17.0.1"), entry("eth0", address)];
}
