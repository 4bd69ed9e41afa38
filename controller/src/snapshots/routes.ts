import {
  BerthError,
  createSnapshot,
  deleteSnapshot,
  forkSandbox,
  listSnapshots,
  rollbackSnapshot,
  type Snapshot,
} from "@berth/protocol";
import type { ProxmoxClient } from "@berth/proxmox";
import type { Api } from "../http/api.ts";
import { mount, mountLooked, mountTransactional } from "../http/mount.ts";
import type { SandboxLookup } from "../sandboxes/lookup.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import { type ForkDependencies, fork } from "./fork.ts";
import { snapshotsOf } from "./list.ts";
import { type DiskWishDependencies, wantDiskWork } from "./service.ts";

export interface SnapshotRouteDependencies extends DiskWishDependencies, ForkDependencies {
  readonly service: DiskWishDependencies["service"] & ForkDependencies["service"];
  readonly lookup: SandboxLookup;
  readonly client: ProxmoxClient;
}

export function snapshotRoutes(api: Api, deps: SnapshotRouteDependencies): void {
  const { lookup, client } = deps;

  /** Proxmox knows which snapshots there are; asked before there is anything to wait for. */
  const named = async (row: SandboxRow, name: string): Promise<Snapshot> => {
    const found = (await snapshotsOf(client, row)).find((snapshot) => snapshot.name === name);
    if (!found) throw new BerthError("not_found", `The sandbox "${row.name}" has no snapshot ${name}.`);
    return found;
  };

  mount(api, listSnapshots, async ({ params, caller }) => {
    const row = await lookup.own(params.id, caller.user.id);
    return { items: await snapshotsOf(client, row), nextCursor: null };
  });

  mountLooked(
    api,
    createSnapshot,
    async ({ params, body, caller }) => {
      const row = await lookup.own(params.id, caller.user.id);
      return isTaken(client, row, body.name);
    },
    async ({ params, body, caller }, work, taken) => {
      const row = await lookup.own(params.id, caller.user.id, work.trx);
      return { operation: await wantDiskWork(work, deps, row, { kind: "snapshot", ...body, taken }) };
    },
  );

  mountTransactional(api, rollbackSnapshot, async ({ params, caller }, work) => {
    const row = await lookup.own(params.id, caller.user.id, work.trx);
    const { name } = await named(row, params.name);
    return { operation: await wantDiskWork(work, deps, row, { kind: "rollback", name }) };
  });

  mountTransactional(api, deleteSnapshot, async ({ params, caller }, work) => {
    const row = await lookup.own(params.id, caller.user.id, work.trx);
    const { name } = await named(row, params.name);
    return { operation: await wantDiskWork(work, deps, row, { kind: "delete_snapshot", name }) };
  });

  mountTransactional(api, forkSandbox, async ({ params, body, caller }, work) => {
    const row = await lookup.own(params.id, caller.user.id, work.trx);
    const from = body.snapshot === undefined ? undefined : await named(row, body.snapshot);
    return fork(work, deps, row, body, from?.takenAt ? new Date(from.takenAt) : undefined);
  });
}

/** Whether a sandbox has a snapshot of this name; while Proxmox cannot be asked, the operation will find out. */
async function isTaken(client: ProxmoxClient, row: SandboxRow, name: string): Promise<boolean> {
  try {
    return (await snapshotsOf(client, row)).some((snapshot) => snapshot.name === name);
  } catch (error) {
    if (error instanceof BerthError && error.code === "proxmox_unavailable") return false;
    throw error;
  }
}
