import { onContainer } from "../../access/permission.ts";
import type { Emulation } from "../../emulation.ts";
import { ApiError } from "../../http/api-error.ts";
import { defineRoute, type Route } from "../../http/route.ts";
import type { ParameterSet } from "../../schema/parameter.ts";
import {
  bandwidthLimit,
  flag,
  hostname,
  node,
  pool,
  snapshotName,
  storage,
  text,
  vmid,
} from "../../schema/parameters.ts";
import { startClone } from "../clone.ts";
import { configParameters } from "../config-options.ts";
import { startDestroy } from "../destroy.ts";

const createParameters: ParameterSet = {
  ...configParameters,
  node,
  vmid,
  ostemplate: { type: "string", maxLength: 255 },
  pool: { ...pool, optional: true },
  storage: { ...storage, optional: true },
  password: { type: "string", minLength: 5, optional: true },
  "ssh-public-keys": text,
  bwlimit: bandwidthLimit,
  force: flag,
  restore: flag,
  start: flag,
  unique: flag,
  "ignore-unpack-errors": flag,
};

export function cloneRoutes(emulation: Emulation): Route[] {
  return [
    defineRoute({
      method: "POST",
      path: "/nodes/{node}/lxc/{vmid}/clone",
      permission: {
        and: [
          onContainer("VM.Clone"),
          {
            or: [
              { path: "/vms/{newid}", privileges: ["VM.Allocate"] },
              { path: "/pool/{pool}", privileges: ["VM.Allocate"], requireParameter: "pool" },
            ],
          },
        ],
      },
      parameters: {
        node,
        vmid,
        newid: vmid,
        full: flag,
        hostname,
        description: text,
        pool: { ...pool, optional: true },
        storage: { ...storage, optional: true },
        snapname: { ...snapshotName, optional: true },
        target: { ...node, optional: true },
        bwlimit: bandwidthLimit,
      },
      handle({ params, caller }) {
        const { full, hostname: name, description, pool: into, storage: on, snapname, target, bwlimit } = params;
        return startClone(
          emulation,
          {
            source: params.vmid,
            target: params.newid,
            ...(full === undefined ? {} : { full }),
            ...(name === undefined ? {} : { hostname: name }),
            ...(description === undefined ? {} : { description }),
            ...(into === undefined ? {} : { pool: into }),
            ...(on === undefined ? {} : { storage: on }),
            ...(snapname === undefined ? {} : { snapshot: snapname }),
            ...(target === undefined ? {} : { node: target }),
            ...(bwlimit === undefined ? {} : { bandwidthLimit: bwlimit }),
          },
          caller,
        );
      },
    }),
    defineRoute({
      method: "DELETE",
      path: "/nodes/{node}/lxc/{vmid}",
      permission: onContainer("VM.Allocate"),
      parameters: { node, vmid, force: flag, purge: flag, "destroy-unreferenced-disks": flag },
      handle({ params, caller }) {
        const { force = false, purge = false } = params;
        return startDestroy(emulation, params.vmid, { force, purge }, caller);
      },
    }),
    defineRoute({
      method: "POST",
      path: "/nodes/{node}/lxc",
      permission: "all",
      parameters: createParameters,
      handle({ params, caller }) {
        const { rights } = emulation;
        const allowed =
          rights.has(caller, `/vms/${params.vmid}`, "VM.Allocate") ||
          (params.pool !== undefined && rights.has(caller, `/pool/${params.pool}`, "VM.Allocate"));
        if (!allowed) throw ApiError.permission();
        throw ApiError.died("this Proxmox makes containers by cloning its template only");
      },
    }),
  ];
}
