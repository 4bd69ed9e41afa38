import { onContainer } from "../../access/permission.ts";
import type { Emulation } from "../../emulation.ts";
import { defineRoute, type Route } from "../../http/route.ts";
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
import { startDestroy } from "../destroy.ts";

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
  ];
}
