import { onContainer } from "../../access/permission.ts";
import type { Emulation } from "../../emulation.ts";
import { defineRoute, type Route } from "../../http/route.ts";
import { bandwidthLimit, flag, node, pool, storage, text, vmid } from "../../schema/parameters.ts";
import { configParameters } from "../config-options.ts";
import { startConversion } from "../convert.ts";
import { startCreate } from "../create.ts";
import { readCreateOrder } from "../create-order.ts";

/** Containers made from archives, and templates made from containers. */
export function createRoutes(emulation: Emulation): Route[] {
  return [
    defineRoute({
      method: "POST",
      path: "/nodes/{node}/lxc",
      permission: "all",
      parameters: {
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
        unique: { ...flag, requires: "restore" },
        "ignore-unpack-errors": flag,
      },
      handle({ params, caller }) {
        const {
          node: _node,
          vmid: id,
          ostemplate,
          pool: into,
          storage: on,
          password,
          start,
          bwlimit,
          ...rest
        } = params;
        const { "ssh-public-keys": publicKeys, ...others } = rest;
        const { restore, force, unique: _unique, "ignore-unpack-errors": lenient, ...options } = others;
        const asked = Object.entries({ restore, force, "ignore-unpack-errors": lenient });
        const order = readCreateOrder(
          emulation,
          {
            vmid: id,
            ostemplate,
            pool: into,
            storage: on,
            password,
            publicKeys,
            start: start ?? false,
            bandwidthLimit: bwlimit,
            special: asked.filter(([, wanted]) => wanted).map(([name]) => name),
            options,
          },
          caller,
        );
        return startCreate(emulation, order, caller);
      },
    }),
    defineRoute({
      method: "POST",
      path: "/nodes/{node}/lxc/{vmid}/template",
      permission: onContainer("VM.Allocate"),
      parameters: { node, vmid },
      handle: ({ params, caller }) => startConversion(emulation, params.vmid, caller),
    }),
  ];
}
