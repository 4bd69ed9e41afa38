import { getLimits } from "@berth/protocol";
import type { Api } from "../http/api.ts";
import { mount } from "../http/mount.ts";
import type { FleetLimits } from "./limits.ts";

export function limitRoutes(api: Api, { limits }: { readonly limits: FleetLimits }): void {
  mount(api, getLimits, ({ caller }) => limits.inUse(api.db, caller.user.id));
}
