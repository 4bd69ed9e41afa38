import type { Permission } from "../access/permission.ts";
import type { Emulation } from "../emulation.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { splitList } from "../schema/formats.ts";
import { flag, node, storage, text } from "../schema/parameters.ts";
import { contentRoutes } from "./content-routes.ts";
import { holds, requireStorage, spaceFigures, storageAuditors, visibleStorages } from "./storages.ts";

const permission: Permission = { path: "/storage/{storage}", privileges: storageAuditors, any: true };
const base = "/nodes/{node}/storage";

export function storageRoutes(emulation: Emulation): Route[] {
  return [
    defineRoute({
      method: "GET",
      path: "/storage",
      permission: "all",
      parameters: { type: text },
      handle: ({ params, caller }) =>
        visibleStorages(emulation, caller)
          .filter(({ type }) => params.type === undefined || params.type === type)
          .map(({ storage: name, type, content, shared }) => ({ storage: name, type, content, shared })),
    }),
    defineRoute({
      method: "GET",
      path: base,
      permission: "all",
      parameters: {
        node,
        content: text,
        enabled: flag,
        format: flag,
        storage: { ...storage, optional: true },
        target: text,
      },
      async handle({ params, caller }) {
        const kinds = params.content === undefined ? undefined : splitList(params.content);
        const shown = visibleStorages(emulation, caller)
          .filter((one) => params.storage === undefined || params.storage === one.storage)
          .filter((one) => kinds === undefined || kinds.some((kind) => holds(one, kind)))
          .map(async (one) => ({ ...one, ...(await spaceFigures(emulation, one.storage)) }));
        return Promise.all(shown);
      },
    }),
    defineRoute({
      method: "GET",
      path: `${base}/{storage}`,
      permission,
      parameters: { node, storage },
      handle: () => ["content", "status"].map((subdir) => ({ subdir })),
    }),
    defineRoute({
      method: "GET",
      path: `${base}/{storage}/status`,
      permission,
      parameters: { node, storage },
      async handle({ params }) {
        const { storage: _name, ...rest } = requireStorage(emulation, params.storage);
        return { ...rest, ...(await spaceFigures(emulation, params.storage)) };
      },
    }),
    ...contentRoutes(emulation),
  ];
}
