import type { Permission } from "../access/permission.ts";
import type { StatusReader } from "../containers/status.ts";
import type { Emulation } from "../emulation.ts";
import { ApiError } from "../http/api-error.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { splitList, vmidList } from "../schema/formats.ts";
import { flag, pool, text } from "../schema/parameters.ts";
import type { Pool } from "./pool-store.ts";

const allocate: Permission = { path: "/pool/{poolid}", privileges: ["Pool.Allocate"] };
const kind = { type: "string", enum: ["qemu", "lxc", "storage"], optional: true } as const;
const changes = {
  comment: text,
  vms: { type: "string", format: vmidList, optional: true },
  storage: text,
  delete: flag,
  "allow-move": flag,
} as const;

/** Pools: by id in the path, and, as newer clients ask, by a parameter. */
export function poolRoutes(emulation: Emulation, statuses: StatusReader): Route[] {
  return [...readRoutes(emulation, statuses), ...writeRoutes(emulation)];
}

function readRoutes(emulation: Emulation, statuses: StatusReader): Route[] {
  const { pools, rights } = emulation;
  return [
    defineRoute({
      method: "GET",
      path: "/pools",
      permission: "all",
      parameters: { poolid: { ...pool, optional: true }, type: { ...kind, requires: "poolid" } },
      async handle({ params, caller }) {
        const { poolid } = params;
        if (poolid === undefined) {
          return pools
            .all()
            .filter(([id]) => rights.has(caller, `/pool/${id}`, "Pool.Audit"))
            .map(([id, { comment }]) => ({ poolid: id, ...(comment === undefined ? {} : { comment }) }));
        }
        rights.require(caller, `/pool/${poolid}`, "Pool.Audit");
        const found = requirePool(emulation, poolid);
        const members = await membersOf(emulation, statuses, found, params.type);
        return [{ poolid, ...(found.comment === undefined ? {} : { comment: found.comment }), members }];
      },
    }),
    defineRoute({
      method: "GET",
      path: "/pools/{poolid}",
      permission: { path: "/pool/{poolid}", privileges: ["Pool.Audit"] },
      parameters: { poolid: pool, type: kind },
      async handle({ params }) {
        const found = requirePool(emulation, params.poolid);
        const members = await membersOf(emulation, statuses, found, params.type);
        return { ...(found.comment === undefined ? {} : { comment: found.comment }), members };
      },
    }),
  ];
}

function writeRoutes(emulation: Emulation): Route[] {
  const { pools } = emulation;
  const update = (path: string) =>
    defineRoute({
      method: "PUT",
      path,
      permission: allocate,
      parameters: { poolid: pool, ...changes },
      async handle({ params }) {
        await changePool(emulation, params.poolid, params);
        return null;
      },
    });
  const remove = (path: string) =>
    defineRoute({
      method: "DELETE",
      path,
      permission: allocate,
      parameters: { poolid: pool },
      async handle({ params }) {
        const { poolid } = params;
        const first = requirePool(emulation, poolid, "delete pool failed: ").vms[0];
        if (first !== undefined) {
          throw ApiError.died(`delete pool failed: pool '${poolid}' is not empty (contains VM ${first})`);
        }
        await pools.remove(poolid);
        return null;
      },
    });
  return [
    defineRoute({
      method: "POST",
      path: "/pools",
      permission: allocate,
      parameters: { poolid: pool, comment: text },
      async handle({ params }) {
        const { poolid, comment } = params;
        if (pools.get(poolid)) throw ApiError.died(`create pool failed: pool '${poolid}' already exists`);
        await pools.add(poolid, comment);
        return null;
      },
    }),
    update("/pools"),
    update("/pools/{poolid}"),
    remove("/pools"),
    remove("/pools/{poolid}"),
  ];
}

interface PoolChange {
  readonly comment?: string;
  readonly vms?: string;
  readonly delete?: boolean;
  readonly "allow-move"?: boolean;
}

async function changePool(emulation: Emulation, poolid: string, change: PoolChange): Promise<void> {
  const { pools, store } = emulation;
  const target = requirePool(emulation, poolid, "update pools failed: ");
  const fail = (why: string): never => {
    throw ApiError.died(`update pools failed: ${why}`);
  };
  const vmids = splitList(change.vms ?? "").map(Number);
  for (const vmid of vmids) {
    if (change.delete) {
      if (!target.vms.includes(vmid)) fail(`VM ${vmid} is not a pool member`);
      continue;
    }
    if (!store.find(vmid)) fail(`VM ${vmid} does not exist`);
    const present = pools.poolOf(vmid);
    if (present === poolid) fail(`VM ${vmid} is already a pool member`);
    if (present !== undefined && !change["allow-move"]) fail(`VM ${vmid} belongs already to pool '${present}'`);
  }
  if (change.comment !== undefined) target.comment = change.comment;
  for (const vmid of vmids) await (change.delete ? pools.leave(vmid) : pools.join(poolid, vmid));
  await pools.save();
}

function requirePool({ pools }: Emulation, poolid: string, prefix = ""): Pool {
  const found = pools.get(poolid);
  if (!found) throw ApiError.died(`${prefix}pool '${poolid}' does not exist`);
  return found;
}

async function membersOf(
  { store }: Emulation,
  statuses: StatusReader,
  { vms }: Pool,
  type: string | undefined,
): Promise<Record<string, unknown>[]> {
  if (type !== undefined && type !== "lxc") return [];
  const containers = vms.map((vmid) => store.find(vmid)).filter((container) => container !== undefined);
  return Promise.all(
    containers.map(async (container) => {
      const { vmid, name, status, ...rest } = await statuses.read(container);
      return {
        id: `lxc/${vmid}`,
        vmid,
        type: "lxc",
        node: container.node ?? store.node,
        name,
        status,
        maxcpu: rest.cpus,
        maxmem: rest.maxmem,
      };
    }),
  );
}
