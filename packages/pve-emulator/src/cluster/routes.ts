import type { Proxmox } from "proxmox-api";
import type { Caller } from "../access/caller.ts";
import type { Container } from "../containers/container.ts";
import type { StatusReader } from "../containers/status.ts";
import { type Emulation, onNode } from "../emulation.ts";
import { ApiError } from "../http/api-error.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { figures } from "../nodes/routes.ts";
import { optionalVmid } from "../schema/parameters.ts";
import { spaceFigures, visibleStorages } from "../storage/storages.ts";
import { listEntry } from "../tasks/routes.ts";
import { pveVersion } from "../version.ts";
import type { Cluster } from "./cluster.ts";

type Resource = Proxmox.clusterResourcesResources;

/** Ids below this one are never proposed. */
const firstVmid = 100;

export function clusterRoutes(emulation: Emulation, statuses: StatusReader): Route[] {
  const { store, tasks, rights, cluster } = emulation;
  return [
    defineRoute({ method: "GET", path: "/version", permission: "all", parameters: {}, handle: () => pveVersion }),
    defineRoute({
      method: "GET",
      path: "/cluster/nextid",
      permission: "all",
      parameters: { vmid: optionalVmid },
      handle({ params }) {
        if (params.vmid !== undefined) {
          if (store.find(params.vmid)) throw ApiError.parameters({ vmid: `VM ${params.vmid} already exists` });
          return String(params.vmid);
        }
        let next = firstVmid;
        while (store.find(next)) next += 1;
        return String(next);
      },
    }),
    defineRoute({
      method: "GET",
      path: "/cluster/tasks",
      permission: "all",
      parameters: {},
      handle({ caller }) {
        const auditor = rights.has(caller, "/", "Sys.Audit");
        // Tokens do not even see their own here: PVE compares their whole name with the task's user alone.
        const owns = (owner: string) => caller.tokenName === undefined && owner === caller.userid;
        return tasks
          .all()
          .filter(({ parts }) => auditor || owns(parts.owner))
          .slice(0, 25)
          .map(listEntry);
      },
    }),
    defineRoute({
      method: "GET",
      path: "/cluster/status",
      permission: { path: "/", privileges: ["Sys.Audit"] },
      parameters: {},
      handle: () => clusterStatus(cluster, emulation.site.node),
    }),
    defineRoute({
      method: "GET",
      path: "/cluster/resources",
      permission: "all",
      parameters: { type: { type: "string", optional: true, enum: ["vm", "storage", "node", "sdn"] } },
      async handle({ params, caller }) {
        const wanted = (type: string) => params.type === undefined || params.type === type;
        return [
          ...(wanted("vm") ? await guests(emulation, statuses, caller) : []),
          ...(wanted("node") ? await nodes(emulation, caller) : []),
          ...(wanted("storage") ? await storages(emulation, caller) : []),
          ...(wanted("sdn") ? networks(emulation, caller) : []),
        ];
      },
    }),
  ];
}

/** A host that is no part of a cluster is all that it tells of. */
function clusterStatus({ nodes }: Cluster, here: string) {
  const members = nodes.map(({ name, online }, index) => ({
    id: `node/${name}`,
    name,
    type: "node",
    ip: "127.0.0.1",
    local: name === here ? 1 : 0,
    nodeid: nodes.length === 1 ? 0 : index + 1,
    online: online ? 1 : 0,
    level: "",
  }));
  if (nodes.length === 1) return members;
  const quorate = 2 * nodes.filter(({ online }) => online).length > nodes.length ? 1 : 0;
  return [
    { id: "cluster", name: "berth", type: "cluster", nodes: nodes.length, quorate, version: nodes.length },
    ...members,
  ];
}

function guests(emulation: Emulation, statuses: StatusReader, caller: Caller): Promise<Resource[]> {
  const { store, rights, pools, cluster } = emulation;
  const describe = async (container: Container): Promise<Resource> => {
    const node = container.node ?? store.node;
    const pool = pools.poolOf(container.vmid);
    const id = `lxc/${container.vmid}`;
    // Nobody measures what is on a host that is away.
    if (!cluster.find(node)?.online) {
      return {
        id,
        vmid: container.vmid,
        node,
        type: "lxc",
        status: "unknown",
        ...(pool === undefined ? {} : { pool }),
      };
    }
    const { cpus, lock, template, swap: _swap, maxswap: _maxswap, pid: _pid, ...rest } = await statuses.read(container);
    return {
      ...rest,
      id,
      node,
      maxcpu: cpus,
      template: template ?? 0,
      // A container that is being made has no statistics yet.
      ...(lock === "create" ? { status: "unknown" } : {}),
      ...(lock === undefined ? {} : { lock }),
      ...(pool === undefined ? {} : { pool }),
    };
  };
  const visible = store.all().filter(({ vmid }) => rights.has(caller, `/vms/${vmid}`, "VM.Audit"));
  return Promise.all(visible.map(describe));
}

function nodes(emulation: Emulation, caller: Caller): Promise<Resource[]> {
  const { cluster, rights } = emulation;
  return Promise.all(
    cluster.nodes.map(async (node): Promise<Resource> => {
      const { name, online, maintenance } = node;
      const audit = online && rights.has(caller, `/nodes/${name}`, "Sys.Audit");
      return {
        id: `node/${name}`,
        type: "node",
        node: name,
        status: online ? "online" : "offline",
        ...(maintenance ? { hastate: "maintenance" } : {}),
        ...(audit ? await figures(emulation, node) : {}),
      };
    }),
  );
}

async function storages(emulation: Emulation, caller: Caller): Promise<Resource[]> {
  const perNode = emulation.cluster.nodes.map(async ({ name, online }) => {
    const here = onNode(emulation, name);
    return Promise.all(
      visibleStorages(here, caller).map(async ({ storage, type, content, shared }): Promise<Resource> => {
        const { total, used } = await spaceFigures(here, storage);
        return {
          id: `storage/${name}/${storage}`,
          type: "storage",
          storage,
          node: name,
          status: online ? "available" : "unknown",
          plugintype: type,
          content,
          shared,
          ...(online ? { disk: used, maxdisk: total } : {}),
        };
      }),
    );
  });
  return (await Promise.all(perNode)).flat();
}

function networks({ cluster, rights }: Emulation, caller: Caller): Resource[] {
  if (!rights.has(caller, "/sdn/zones/localnetwork", "SDN.Audit", "SDN.Use", "SDN.Allocate")) return [];
  return cluster.nodes.map(({ name }) => {
    return { id: `sdn/${name}/localnetwork`, type: "sdn", sdn: "localnetwork", node: name, status: "ok" };
  });
}
