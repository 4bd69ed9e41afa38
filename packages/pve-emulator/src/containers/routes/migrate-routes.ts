import { onContainer } from "../../access/permission.ts";
import type { Emulation } from "../../emulation.ts";
import { defineRoute, type Route } from "../../http/route.ts";
import { bandwidthLimit, count, flag, node, text, vmid } from "../../schema/parameters.ts";
import { startMigration } from "../migrate.ts";

export function migrateRoutes(emulation: Emulation): Route[] {
  return [
    defineRoute({
      method: "POST",
      path: "/nodes/{node}/lxc/{vmid}/migrate",
      permission: onContainer("VM.Migrate"),
      parameters: {
        ...{ node, vmid, target: node, restart: flag, online: flag, timeout: count },
        ...{ bwlimit: bandwidthLimit, "target-storage": text },
      },
      handle({ params, caller }) {
        const { target, restart = false, timeout } = params;
        const order = { target, restart, ...(timeout === undefined ? {} : { timeout }) };
        return startMigration(emulation, params.vmid, order, caller);
      },
    }),
  ];
}
