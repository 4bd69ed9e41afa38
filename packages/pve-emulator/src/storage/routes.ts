import type { Permission } from "../access/permission.ts";
import { volumeOf } from "../containers/clone.ts";
import type { Container } from "../containers/container.ts";
import { isTemplate } from "../containers/container.ts";
import { diskSize } from "../containers/resize.ts";
import type { Emulation } from "../emulation.ts";
import { ApiError } from "../http/api-error.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { splitList } from "../schema/formats.ts";
import { flag, node, optionalVmid, storage, text } from "../schema/parameters.ts";

const privileges = ["Datastore.Audit", "Datastore.AllocateSpace"];
const permission: Permission = { path: "/storage/{storage}", privileges, any: true };
const base = "/nodes/{node}/storage";

/** There is one storage: the data folder, which allows linked clones and snapshots as btrfs does. */
export function storageRoutes(emulation: Emulation): Route[] {
  const { site, rights, store } = emulation;
  const requireStorage = (name: string) => {
    if (name !== site.storage) throw ApiError.parameters({ storage: "No such storage." });
  };
  return [
    defineRoute({
      method: "GET",
      path: "/storage",
      permission: "all",
      parameters: { type: text },
      handle({ params, caller }) {
        if (!rights.has(caller, `/storage/${site.storage}`, ...privileges)) return [];
        const { storage: name, type, content } = description(emulation);
        if (params.type !== undefined && params.type !== type) return [];
        return [{ storage: name, type, content, shared: 0 }];
      },
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
        if (!rights.has(caller, `/storage/${site.storage}`, ...privileges)) return [];
        if (params.storage !== undefined && params.storage !== site.storage) return [];
        const held = description(emulation).content.split(",");
        if (params.content !== undefined && !splitList(params.content).some((one) => held.includes(one))) return [];
        return [{ ...description(emulation), ...(await figures(emulation)) }];
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
        requireStorage(params.storage);
        const { storage: _name, ...rest } = description(emulation);
        return { ...rest, ...(await figures(emulation)) };
      },
    }),
    defineRoute({
      method: "GET",
      path: `${base}/{storage}/content`,
      permission,
      parameters: { node, storage, content: text, vmid: optionalVmid },
      handle({ params, caller }) {
        requireStorage(params.storage);
        if (params.content !== undefined && params.content !== "rootdir") return [];
        const seesAll = rights.has(caller, `/storage/${site.storage}`, "Datastore.Allocate");
        return store
          .all()
          .filter(({ vmid, values }) => values.rootfs !== undefined && vmid === (params.vmid ?? vmid))
          .filter(({ vmid }) => seesAll || rights.has(caller, `/vms/${vmid}`, "VM.Audit"))
          .map((container) => volume(site.storage, container));
      },
    }),
  ];
}

function description({ site }: Emulation) {
  return {
    storage: site.storage,
    type: "btrfs",
    content: "rootdir,images",
    active: 1,
    enabled: 1,
    shared: 0,
  } as const;
}

async function figures({ backend }: Emulation): Promise<Record<string, number>> {
  const { totalBytes, availableBytes } = await backend.disks.space();
  const used = totalBytes - availableBytes;
  return { total: totalBytes, avail: availableBytes, used, used_fraction: used / totalBytes };
}

function volume(storageName: string, container: Container): Record<string, unknown> {
  return {
    volid: volumeOf(storageName, container.vmid, isTemplate(container)),
    vmid: container.vmid,
    content: "rootdir",
    format: "subvol",
    size: diskSize(container),
  };
}
