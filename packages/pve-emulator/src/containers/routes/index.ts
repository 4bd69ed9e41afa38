import type { Emulation } from "../../emulation.ts";
import type { Route } from "../../http/route.ts";
import type { StatusReader } from "../status.ts";
import { cloneRoutes } from "./clone-routes.ts";
import { configRoutes } from "./config-routes.ts";
import { createRoutes } from "./create-routes.ts";
import { firewallRoutes } from "./firewall-routes.ts";
import { migrateRoutes } from "./migrate-routes.ts";
import { powerRoutes } from "./power-routes.ts";
import { snapshotRoutes } from "./snapshot-routes.ts";
import { statusRoutes } from "./status-routes.ts";

export function containerRoutes(emulation: Emulation, statuses: StatusReader): Route[] {
  return [
    ...statusRoutes(emulation, statuses),
    ...configRoutes(emulation),
    ...powerRoutes(emulation),
    ...createRoutes(emulation),
    ...cloneRoutes(emulation),
    ...migrateRoutes(emulation),
    ...snapshotRoutes(emulation),
    ...firewallRoutes(emulation),
  ];
}
