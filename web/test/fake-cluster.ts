import {
  adoptOrphan,
  adoptOrphans,
  BerthError,
  type DoctorCheck,
  getDoctor,
  getLimits,
  getPool,
  type LimitsInUse,
  listNodes,
  listOrphans,
  type Node,
  type Operation,
  type Orphan,
  type OrphanEvent,
  type Pool,
  type Route,
  type Sandbox,
  updatePool,
} from "@berth/protocol";
import { Value } from "typebox/value";
import type { Answer, Call } from "./fake-controller.ts";
import type { FakeFleet } from "./fake-fleet.ts";

const gib = 1024 ** 3;
const online = { online: true, maintenance: false, avoided: null } as const;

/** Three hosts with room, one of them down and one in maintenance. */
const threeNodes: Node[] = [
  {
    ...{ name: "pve1", ...online, cpu: 0.31, cores: 8, uptimeSeconds: 812_000, sandboxes: 4 },
    ...{ memoryBytes: 32 * gib, memoryUsedBytes: 11.5 * gib, memoryPromisedBytes: 6 * gib },
    storages: [
      { name: "local-zfs", type: "zfspool", shared: false, totalBytes: 480 * gib, freeBytes: 61 * gib },
      { name: "ceph", type: "rbd", shared: true, totalBytes: 4096 * gib, freeBytes: 3010 * gib },
    ],
    templates: [{ vmid: 150, version: "0a1b2c3d4e5f6071" }],
  },
  {
    ...{ name: "pve2", online: true, maintenance: true, cpu: 0.02, cores: 8, uptimeSeconds: 3_600, sandboxes: 0 },
    avoided: { kind: "maintenance", reason: "it is in maintenance" },
    ...{ memoryBytes: 32 * gib, memoryUsedBytes: 2 * gib, memoryPromisedBytes: 0 },
    storages: [{ name: "ceph", type: "rbd", shared: true, totalBytes: 4096 * gib, freeBytes: 3010 * gib }],
    templates: [],
  },
  {
    ...{ name: "pve3", online: false, maintenance: false, cpu: null, cores: null, uptimeSeconds: null, sandboxes: 2 },
    avoided: { kind: "offline", reason: "it is offline" },
    ...{ memoryBytes: null, memoryUsedBytes: null, memoryPromisedBytes: null, storages: [], templates: [] },
  },
];

const use = (used: number, limit: number | null = null) => ({ used, limit });

/** What the cluster's pages ask for, in memory. */
export class FakeCluster {
  nodes: Node[] = threeNodes;
  limits: LimitsInUse = {
    fleet: { sandboxes: use(12, 20), cores: use(31, 32), memoryMiB: use(24_576, 65_536), diskGiB: use(96) },
    mine: { sandboxes: use(5, 6), cores: use(10), memoryMiB: use(10_240), diskGiB: use(40) },
  };
  pool: Pool = { size: 0, ready: 0, filling: 0, failed: null };
  checks: DoctorCheck[] = [
    { id: "database", title: "Database", state: "ok", detail: "It answers.", fix: null },
    {
      id: "proxmox:https://pve1:8006",
      title: "Proxmox at https://pve1:8006",
      state: "ok",
      detail: "It answers.",
      fix: null,
    },
  ];
  /** How often the doctor has looked. */
  looks = 0;
  /** Whose adopted sandboxes are. */
  ownerId = "";
  readonly orphans = new Map<number, Orphan>();
  readonly #fleet: FakeFleet;

  constructor(fleet: FakeFleet) {
    this.#fleet = fleet;
  }

  get routes(): readonly (readonly [Route, (call: Call) => Answer])[] {
    const ok = (body: unknown): Answer => ({ status: 200, body });
    return [
      [listNodes, () => ok({ items: this.nodes, nextCursor: null, checks: [] })],
      [getLimits, () => ok(this.limits)],
      [getPool, () => ok(this.pool)],
      [updatePool, ({ body }) => ok(this.#resize(body))],
      [getDoctor, () => ok(this.#look())],
      [listOrphans, () => ok({ items: [...this.orphans.values()] })],
      [adoptOrphans, () => ({ status: 202, body: { items: [...this.#adoptable()].map((one) => this.#adopt(one)) } })],
      [adoptOrphan, ({ params }) => ({ status: 202, body: this.#adopt(this.#orphan(Number(params.vmid))) })],
    ];
  }

  /** A container without a sandbox comes to light, and everybody is told. */
  addOrphan(orphan: Orphan): void {
    this.orphans.set(orphan.vmid, orphan);
    this.#tell({ state: "appeared", orphan });
  }

  #tell(event: OrphanEvent): void {
    this.#fleet.tell("orphan", event);
  }

  #look(): { checks: DoctorCheck[] } {
    this.looks += 1;
    return { checks: this.checks };
  }

  #resize(body: unknown): Pool {
    const { size } = Value.Parse(updatePool.body, body);
    this.pool = { ...this.pool, size, filling: Math.min(1, size) };
    return this.pool;
  }

  #adoptable(): Orphan[] {
    return [...this.orphans.values()].filter(({ obstacle }) => obstacle === null);
  }

  #orphan(vmid: number): Orphan {
    const found = this.orphans.get(vmid);
    if (!found) throw new BerthError("not_found", "It is no orphan.");
    return found;
  }

  #adopt(orphan: Orphan): { sandbox: Sandbox; operation: Operation } {
    this.orphans.delete(orphan.vmid);
    const sandbox = this.#fleet.add(orphan.name ?? "unnamed", "starting", { vmid: orphan.vmid, ownerId: this.ownerId });
    const operation = this.#fleet.begin(sandbox, "adopt");
    this.#tell({ state: "vanished", orphan });
    return { sandbox, operation };
  }
}
