import type { Emulation } from "../emulation.ts";
import type { Container } from "./container.ts";
import { eraseContainer } from "./destroy.ts";
import { forgetSnapshot } from "./snapshots.ts";

/**
 * Cleans up after tasks whose worker was killed with the emulator. A real Proxmox leaves their locks for `pct unlock`
 * on the host; nobody has a shell on this one, so the next start does it. The tasks themselves stay failed.
 */
export async function recoverContainers(emulation: Emulation): Promise<void> {
  const { store, backend, report } = emulation;
  for (const container of store.all()) {
    const { lock } = container.values;
    if (lock === undefined) continue;
    report(`container ${container.vmid} was left locked (${lock}): cleaning up`);
    if (lock === "create" || lock === "destroyed") {
      await backend.kill(container.vmid);
      await eraseContainer(emulation, container);
      continue;
    }
    await matchSnapshots(emulation, container);
    delete container.values.lock;
    await store.save(container);
  }
}

/** Keeps the snapshots that are both in the configuration and on disk. */
async function matchSnapshots({ backend }: Emulation, container: Container): Promise<void> {
  const { vmid, snapshots } = container;
  const onDisk = await backend.disks.snapshots(vmid);
  for (const name of onDisk) if (!Object.hasOwn(snapshots, name)) await backend.disks.removeSnapshot(vmid, name);
  for (const [name, { parent }] of Object.entries(snapshots)) {
    if (!onDisk.includes(name)) forgetSnapshot(container, name, parent);
  }
}
