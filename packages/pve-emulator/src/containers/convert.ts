import type { Caller } from "../access/caller.ts";
import type { Emulation } from "../emulation.ts";
import { ApiError } from "../http/api-error.ts";
import { readPropertyString } from "../schema/property-string.ts";
import { type Container, isTemplate, requireUnlocked } from "./container.ts";
import { rootfsValue, storageOf, volumeOf } from "./root-disk.ts";

/** Starts to make a container a template. PVE forks a task for it and, alone of all such calls, keeps its UPID back. */
export async function startConversion(emulation: Emulation, vmid: number, caller: Caller): Promise<null> {
  const { store, backend, tasks } = emulation;
  const container = store.require(vmid);
  requireConvertible(emulation, container);
  await tasks.start({ type: "vztemplate", id: String(vmid), caller }, () =>
    store.exclusive(vmid, async () => {
      // The task may have waited for another one.
      requireConvertible(emulation, container);
      await backend.disks.convertToTemplate(vmid);
      const disk = readPropertyString(container.values.rootfs ?? "", "volume");
      container.values.rootfs = rootfsValue(volumeOf(storageOf(container.values), vmid, true), disk);
      container.values.template = "1";
      await store.save(container);
      emulation.report(`container ${vmid} is a template now`);
    }),
  );
  return null;
}

function requireConvertible({ backend }: Emulation, container: Container): void {
  requireUnlocked(container);
  if (Object.keys(container.snapshots).length > 0) {
    throw ApiError.died("unable to create template, because CT contains snapshots");
  }
  if (isTemplate(container)) throw ApiError.died("you can't convert a template to a template");
  if (backend.running(container.vmid)) {
    throw ApiError.died("you can't convert a CT to template if the CT is running");
  }
}
