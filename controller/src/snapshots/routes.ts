import {
  BerthError,
  createSnapshot,
  deleteSnapshot,
  forkSandbox,
  listSnapshots,
  rollbackSnapshot,
} from "@berth/protocol";
import type { ProxmoxClient } from "@berth/proxmox";
import type { Api } from "../http/api.ts";
import { mount, mountLooked } from "../http/mount.ts";
import type { SandboxLookup } from "../sandboxes/lookup.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import { type ForkDependencies, fork } from "./fork.ts";
import { findSnapshots } from "./list.ts";
import { lookAtSnapshots, type SnapshotLook } from "./look.ts";
import { type DiskWishDependencies, wantDiskWork } from "./service.ts";

export interface SnapshotRouteDependencies extends DiskWishDependencies, ForkDependencies {
  readonly service: DiskWishDependencies["service"] & ForkDependencies["service"];
  readonly lookup: SandboxLookup;
  readonly client: ProxmoxClient;
}

export function snapshotRoutes(api: Api, deps: SnapshotRouteDependencies): void {
  const { lookup, client } = deps;

  /** Proxmox knows which snapshots there are. A repetition of a call is answered whatever it says now. */
  const look = async (reference: string, userId: string): Promise<PromiseSettledResult<SnapshotLook>> => {
    const seen = lookup.own(reference, userId).then((row) => lookAtSnapshots(api.db, client, row));
    const [settled] = await Promise.allSettled([seen]);
    return settled;
  };

  mount(api, listSnapshots, async ({ params, caller }) => {
    const row = await lookup.own(params.id, caller.user.id);
    const { snapshots } = await findSnapshots(client, row);
    return { items: [...snapshots], nextCursor: null };
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

  const works = [
    [rollbackSnapshot, "rollback"],
    [deleteSnapshot, "delete_snapshot"],
  ] as const;
  for (const [route, kind] of works) {
    mountLooked(
      api,
      route,
      ({ params, caller }) => look(params.id, caller.user.id),
      async ({ params, caller }, work, seen) => {
        const row = await lookup.own(params.id, caller.user.id, work.trx);
        return { operation: await wantDiskWork(work, deps, row, { kind, name: params.name }, seenBy(seen)) };
      },
    );
  }

  mountLooked(
    api,
    forkSandbox,
    async ({ params, body, caller }) => (body.snapshot === undefined ? undefined : look(params.id, caller.user.id)),
    async ({ params, body, caller }, work, seen) => {
      const row = await lookup.own(params.id, caller.user.id, work.trx);
      return fork(work, deps, row, body, seen && seenBy(seen));
    },
  );
}

function seenBy<T>(settled: PromiseSettledResult<T>): T {
  if (settled.status === "rejected") throw settled.reason;
  return settled.value;
}

/** Whether a sandbox has a snapshot of this name; while Proxmox cannot be asked, the operation will find out. */
async function isTaken(client: ProxmoxClient, row: SandboxRow, name: string): Promise<boolean> {
  try {
    return (await findSnapshots(client, row)).snapshots.some((snapshot) => snapshot.name === name);
  } catch (error) {
    if (error instanceof BerthError && error.code === "proxmox_unavailable") return false;
    throw error;
  }
}
