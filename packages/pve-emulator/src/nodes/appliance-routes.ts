import type { Emulation } from "../emulation.ts";
import { ApiError } from "../http/api-error.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { node, storage } from "../schema/parameters.ts";
import { debianAppliance } from "../storage/appliance.ts";
import { holds, requireUsableStorage } from "../storage/storages.ts";

const path = "/nodes/{node}/aplinfo";

/** What the node can download to make containers from. */
export function applianceRoutes(emulation: Emulation): Route[] {
  const { archives, tasks } = emulation;
  return [
    defineRoute({
      method: "GET",
      path,
      permission: "all",
      parameters: { node },
      handle: () => [debianAppliance],
    }),
    defineRoute({
      method: "POST",
      path,
      permission: { path: "/storage/{storage}", privileges: ["Datastore.AllocateTemplate"] },
      parameters: { node, storage, template: { type: "string", maxLength: 255 } },
      handle({ params, caller }) {
        const { template } = params;
        if (template !== debianAppliance.template) throw ApiError.parameters({ template: "no such template" });
        const target = requireUsableStorage(emulation, params.storage);
        if (!holds(target, "vztmpl")) throw ApiError.died(`storage '${target.storage}' does not support templates`);
        return tasks.start({ type: "download", id: template, caller }, (context) =>
          archives.download(debianAppliance, context),
        );
      },
    }),
  ];
}
