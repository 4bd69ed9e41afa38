import type { Proxmox } from "proxmox-api";
import type { Caller } from "../access/caller.ts";
import type { Container } from "../containers/container.ts";
import type { StatusReader } from "../containers/status.ts";
import type { Emulation } from "../emulation.ts";
import { ApiError } from "../http/api-error.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { figures } from "../nodes/routes.ts";
import { optionalVmid } from "../schema/parameters.ts";
import { spaceFigures, visibleStorages } from "../storage/storages.ts";
import { listEntry } from "../tasks/routes.ts";
import { pveVersion } from "../version.ts";

type Resource = Proxmox.clusterResourcesResources;

/** Ids below this one are never proposed. */
const firstVmid = 100;

export function clusterRoutes(emulation: Emulation, statuses: StatusReader): Route[] {
  const { store, tasks, rights, site } = emulation;
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
      handle: () => [
        {
          id: `node/${site.node}`,
          name: site.node,
          type: "node",
          ip: "127.0.0.1",
          local: 1,
          nodeid: 0,
          online: 1,
          level: "",
        },
      ],
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
          ...(wanted("node") ? [node(emulation, caller)] : []),
          ...(wanted("storage") ? await storages(emulation, caller) : []),
          ...(wanted("sdn") ? networks(emulation, caller) : []),
        ];
      },
    }),
  ];
}

function guests(emulation: Emulation, statuses: StatusReader, caller: Caller): Promise<Resource[]> {
  const { store, rights, pools, site } = emulation;
  const describe = async (container: Container): Promise<Resource> => {
    const { cpus, lock, template, swap: _swap, maxswap: _maxswap, pid: _pid, ...rest } = await statuses.read(container);
    const pool = pools.poolOf(container.vmid);
    return {
      ...rest,
      id: `lxc/${container.vmid}`,
      node: site.node,
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

function node({ site, rights }: Emulation, caller: Caller): Resource {
  const audit = rights.has(caller, `/nodes/${site.node}`, "Sys.Audit");
  return { id: `node/${site.node}`, type: "node", node: site.node, status: "online", ...(audit ? figures() : {}) };
}

async function storages(emulation: Emulation, caller: Caller): Promise<Resource[]> {
  const { node: name } = emulation.site;
  const { total, used } = await spaceFigures(emulation);
  return visibleStorages(emulation, caller).map(({ storage, type, content, shared }) => ({
    id: `storage/${name}/${storage}`,
    type: "storage",
    storage,
    node: name,
    status: "available",
    plugintype: type,
    content,
    shared,
    disk: used,
    maxdisk: total,
  }));
}

function networks({ site, rights }: Emulation, caller: Caller): Resource[] {
  if (!rights.has(caller, "/sdn/zones/localnetwork", "SDN.Audit", "SDN.Use", "SDN.Allocate")) return [];
  return [{ id: `sdn/${site.node}/localnetwork`, type: "sdn", sdn: "localnetwork", node: site.node, status: "ok" }];
}
