import type { Caller } from "../access/caller.ts";
import type { Permission } from "../access/permission.ts";
import { type Container, isTemplate } from "../containers/container.ts";
import { diskSize, storageOf, volumeOf } from "../containers/root-disk.ts";
import type { Emulation } from "../emulation.ts";
import { ApiError } from "../http/api-error.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { node, optionalVmid, storage, text } from "../schema/parameters.ts";
import { type Archive, archiveStorage } from "./archives.ts";
import { requireStorage, storageAuditors } from "./storages.ts";
import { parseVolumeId } from "./volume-id.ts";

const permission: Permission = { path: "/storage/{storage}", privileges: storageAuditors, any: true };
const list = "/nodes/{node}/storage/{storage}/content";
// Unlike other parameters of a path, a volume's name may hold slashes.
const one = `${list}/{+volume}`;
const volume = { type: "string" } as const;

/** What lies on the storages. */
export function contentRoutes(emulation: Emulation): Route[] {
  const { rights, archives, tasks } = emulation;
  return [
    defineRoute({
      method: "GET",
      path: list,
      permission,
      parameters: { node, storage, content: text, vmid: optionalVmid },
      async handle({ params, caller }) {
        const { content, vmid } = params;
        requireStorage(emulation, params.storage);
        if (params.storage !== archiveStorage) {
          return content === undefined || content === "rootdir" ? disks(emulation, caller, params.storage, vmid) : [];
        }
        // An archive belongs to no container.
        const wanted = vmid === undefined && (content === undefined || content === "vztmpl");
        return wanted ? (await archives.list()).map(describeArchive) : [];
      },
    }),
    defineRoute({
      method: "GET",
      path: one,
      permission: "all",
      parameters: { node, storage, volume },
      async handle({ params, caller }) {
        rights.require(caller, `/storage/${params.storage}`, ...storageAuditors);
        const { path, sizeBytes, format } = await requireArchive(emulation, params.storage, params.volume);
        return { path, size: sizeBytes, used: sizeBytes, format };
      },
    }),
    defineRoute({
      method: "DELETE",
      path: one,
      permission: "all",
      parameters: { node, storage, volume, delay: { type: "integer", minimum: 1, maximum: 30, optional: true } },
      async handle({ params, caller }) {
        rights.require(caller, `/storage/${params.storage}`, "Datastore.Allocate");
        const { name } = await requireArchive(emulation, params.storage, params.volume);
        return tasks.start({ type: "imgdel", id: params.storage, caller }, async ({ log }) => {
          await archives.remove(name);
          log(`Removed volume '${params.storage}:vztmpl/${name}'`);
        });
      },
    }),
  ];
}

/** The archive that a volume is, named with its storage or without. */
async function requireArchive(emulation: Emulation, storageName: string, given: string): Promise<Archive> {
  const { archives } = emulation;
  requireStorage(emulation, storageName);
  const volid = given.includes(":") ? given : `${storageName}:${given}`;
  const parsed = parseVolumeId(volid);
  if (!parsed) throw ApiError.died(`unable to parse directory volume name '${given}'`);
  if (parsed.storage !== storageName) {
    throw ApiError.parameters({ volume: `storage ID mismatch (${parsed.storage} != ${storageName})` });
  }
  const found = parsed.content === "vztmpl" ? await archives.find(parsed.name) : undefined;
  if (!found || storageName !== archiveStorage) throw ApiError.died(`volume '${volid}' does not exist`);
  return found;
}

function describeArchive({ name, format, sizeBytes, createdAt }: Archive): Record<string, unknown> {
  return { volid: `${archiveStorage}:vztmpl/${name}`, content: "vztmpl", format, size: sizeBytes, ctime: createdAt };
}

function disks({ store, rights }: Emulation, caller: Caller, storageName: string, vmid: number | undefined) {
  const seesAll = rights.has(caller, `/storage/${storageName}`, "Datastore.Allocate");
  return store
    .all()
    .filter(({ values }) => values.rootfs !== undefined && storageOf(values) === storageName)
    .filter((container) => container.vmid === (vmid ?? container.vmid))
    .filter((container) => seesAll || rights.has(caller, `/vms/${container.vmid}`, "VM.Audit"))
    .map((container) => describeDisk(storageName, container));
}

function describeDisk(storageName: string, container: Container): Record<string, unknown> {
  return {
    volid: volumeOf(storageName, container.vmid, isTemplate(container)),
    vmid: container.vmid,
    content: "rootdir",
    format: "subvol",
    size: diskSize(container),
  };
}
