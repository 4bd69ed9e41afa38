import type { Proxmox } from "proxmox-api";
import { onContainer } from "../../access/permission.ts";
import type { Emulation } from "../../emulation.ts";
import { defineRoute, type Route } from "../../http/route.ts";
import { flag, node, snapshotName, text, vmid } from "../../schema/parameters.ts";
import { type Container, digestOf, typedValues } from "../container.ts";
import { requireSnapshot, startRollback, startSnapshot, startSnapshotRemoval } from "../snapshots.ts";

const list = "/nodes/{node}/lxc/{vmid}/snapshot";
const one = `${list}/{snapname}`;
const snapname = snapshotName;

export function snapshotRoutes(emulation: Emulation): Route[] {
  const { store } = emulation;
  return [
    defineRoute({
      method: "GET",
      path: list,
      permission: onContainer("VM.Audit"),
      parameters: { node, vmid },
      handle: ({ params }) =>
        describeSnapshots(store.require(params.vmid), emulation.backend.running(params.vmid) !== undefined),
    }),
    defineRoute({
      method: "POST",
      path: list,
      permission: onContainer("VM.Snapshot"),
      parameters: { node, vmid, snapname, description: text },
      handle({ params, caller }) {
        const { snapname: name, description } = params;
        return startSnapshot(
          emulation,
          params.vmid,
          { name, ...(description === undefined ? {} : { description }) },
          caller,
        );
      },
    }),
    defineRoute({
      method: "GET",
      path: one,
      permission: "all",
      parameters: { node, vmid, snapname },
      handle: () => [{ cmd: "rollback" }, { cmd: "config" }],
    }),
    defineRoute({
      method: "DELETE",
      path: one,
      permission: onContainer("VM.Snapshot"),
      parameters: { node, vmid, snapname, force: flag },
      handle: ({ params, caller }) => startSnapshotRemoval(emulation, params.vmid, params.snapname, caller),
    }),
    defineRoute({
      method: "POST",
      path: `${one}/rollback`,
      permission: { path: "/vms/{vmid}", privileges: ["VM.Snapshot", "VM.Snapshot.Rollback"], any: true },
      parameters: { node, vmid, snapname, start: flag },
      handle: ({ params, caller }) =>
        startRollback(emulation, params.vmid, { name: params.snapname, start: params.start ?? false }, caller),
    }),
    defineRoute({
      method: "GET",
      path: `${one}/config`,
      permission: {
        path: "/vms/{vmid}",
        privileges: ["VM.Snapshot", "VM.Snapshot.Rollback", "VM.Audit"],
        any: true,
      },
      parameters: { node, vmid, snapname },
      handle({ params }) {
        const { values, ...rest } = requireSnapshot(store.require(params.vmid), params.snapname);
        return { ...typedValues(values), ...rest, ...noted(rest.description) };
      },
    }),
    defineRoute({
      method: "PUT",
      path: `${one}/config`,
      permission: onContainer("VM.Snapshot"),
      parameters: { node, vmid, snapname, description: text },
      async handle({ params }) {
        const container = store.require(params.vmid);
        const snapshot = requireSnapshot(container, params.snapname);
        if (params.description !== undefined) snapshot.description = params.description.replace(/\n$/, "");
        await store.save(container);
        return null;
      },
    }),
  ];
}

/** The snapshots, and last the present, which is called `current`. */
function describeSnapshots(container: Container, running: boolean): Proxmox.nodesLxcSnapshotList[] {
  const { snapshots, parent } = container;
  return [
    ...Object.entries(snapshots).map(([name, snapshot]) => ({
      name,
      snaptime: snapshot.snaptime,
      description: snapshot.description === undefined ? "" : `${snapshot.description}\n`,
      ...(snapshot.parent === undefined ? {} : { parent: snapshot.parent }),
      ...(snapshot.snapstate === undefined ? {} : { snapstate: snapshot.snapstate }),
    })),
    {
      name: "current",
      digest: digestOf(container),
      running: running ? 1 : 0,
      description: "You are here!",
      ...(parent === undefined ? {} : { parent }),
    },
  ];
}

const noted = (description: string | undefined) =>
  description === undefined ? {} : { description: `${description}\n` };
