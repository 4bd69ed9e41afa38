import { isDeepStrictEqual } from "node:util";
import { onContainer } from "../../access/permission.ts";
import type { Emulation } from "../../emulation.ts";
import { defineRoute, type Route } from "../../http/route.ts";
import { configIdList } from "../../schema/formats.ts";
import { digest, flag, node, snapshotName, vmid } from "../../schema/parameters.ts";
import { configParameters } from "../config-options.ts";
import { type ConfigValues, type Container, digestOf, futureValues, typedValue, typedValues } from "../container.ts";
import { applyEdit, authoriseEdit, readEdit } from "../edit-config.ts";
import { limitsOf } from "../power.ts";
import { startResize } from "../resize.ts";
import { requireSnapshot } from "../snapshots.ts";

const optionNames = { type: "string", format: configIdList, optional: true } as const;

export function configRoutes(emulation: Emulation): Route[] {
  const { store, rights, backend } = emulation;
  return [
    defineRoute({
      method: "GET",
      path: "/nodes/{node}/lxc/{vmid}/config",
      permission: onContainer("VM.Audit"),
      parameters: { node, vmid, current: flag, snapshot: { ...snapshotName, optional: true } },
      handle({ params }) {
        const container = store.require(params.vmid);
        if (params.snapshot === undefined) {
          return describeConfig(container, params.current ? container.values : futureValues(container));
        }
        const { values, snaptime, parent } = requireSnapshot(container, params.snapshot);
        return { ...describeConfig(container, values), snaptime, ...(parent === undefined ? {} : { parent }) };
      },
    }),
    defineRoute({
      method: "PUT",
      path: "/nodes/{node}/lxc/{vmid}/config",
      permission: {
        path: "/vms/{vmid}",
        privileges: ["VM.Config.Disk", "VM.Config.CPU", "VM.Config.Memory", "VM.Config.Network", "VM.Config.Options"],
        any: true,
      },
      parameters: { ...configParameters, node, vmid, digest, delete: optionNames, revert: optionNames },
      async handle({ params, caller }) {
        const edit = readEdit(params);
        authoriseEdit(edit, params.vmid, caller, rights);
        const container = store.require(params.vmid);
        const before = limitsOf(container.values);
        applyEdit(container, edit, backend.running(params.vmid) !== undefined);
        await store.save(container);
        const limits = limitsOf(container.values);
        if (!isDeepStrictEqual(limits, before)) await backend.applyLimits(params.vmid, limits);
        return null;
      },
    }),
    defineRoute({
      method: "GET",
      path: "/nodes/{node}/lxc/{vmid}/pending",
      permission: onContainer("VM.Audit"),
      parameters: { node, vmid },
      handle: ({ params }) => describePending(store.require(params.vmid)),
    }),
    defineRoute({
      method: "PUT",
      path: "/nodes/{node}/lxc/{vmid}/resize",
      permission: onContainer("VM.Config.Disk"),
      parameters: {
        node,
        vmid,
        digest,
        disk: { type: "string", enum: ["rootfs", ...Array.from({ length: 256 }, (_, index) => `mp${index}`)] },
        size: { type: "string", pattern: /\+?\d+(?:\.\d+)?[KMGT]?/ },
      },
      handle({ params, caller }) {
        const { disk, size, digest: given } = params;
        const order = { disk, size, ...(given === undefined ? {} : { digest: given }) };
        return startResize(emulation, params.vmid, order, caller);
      },
    }),
    defineRoute({
      method: "GET",
      path: "/nodes/{node}/lxc/{vmid}/feature",
      permission: onContainer("VM.Audit"),
      parameters: {
        node,
        vmid,
        feature: { type: "string", enum: ["snapshot", "clone", "copy"] },
        snapname: { ...snapshotName, optional: true },
      },
      handle({ params }) {
        const container = store.require(params.vmid);
        const template = container.values.template === "1";
        return {
          hasFeature: params.feature === "clone" ? Number(template) : params.feature === "copy" ? 1 : Number(!template),
        };
      },
    }),
  ];
}

function describeConfig(container: Container, values: ConfigValues): Record<string, unknown> {
  return {
    ...typedValues(values),
    ...(container.parent === undefined ? {} : { parent: container.parent }),
    ...(container.lxc.length > 0 ? { lxc: container.lxc } : {}),
    digest: digestOf(container),
  };
}

function describePending(container: Container): Record<string, unknown>[] {
  const { values, pending, pendingDelete } = container;
  const names = [...new Set([...Object.keys(values), ...Object.keys(pending)])].sort();
  return names.map((key) => ({
    key,
    ...(values[key] === undefined ? {} : { value: typedValue(key, values[key]) }),
    ...(pending[key] === undefined ? {} : { pending: typedValue(key, pending[key]) }),
    ...(pendingDelete.includes(key) ? { delete: 1 } : {}),
  }));
}
