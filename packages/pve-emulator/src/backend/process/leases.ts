import Type from "typebox";
import { loadJson, saveJson } from "../../state/json-file.ts";
import type { ContainerFiles } from "./container-files.ts";
import { sshPort } from "./guest-files.ts";
import { addressesOf, isFree, type Subnet } from "./subnet.ts";

const leaseSchema = Type.Object({ address: Type.String() });

/** Which container has which address. A container keeps its address for life, unless somebody else took it. */
export class Leases {
  readonly #subnet: Subnet;
  readonly #byVmid = new Map<number, string>();

  constructor(subnet: Subnet) {
    this.#subnet = subnet;
  }

  /** Reads the lease of an earlier run. */
  async restore(vmid: number, files: ContainerFiles): Promise<void> {
    const lease = await loadJson(files.lease, leaseSchema);
    if (lease) this.#byVmid.set(vmid, lease.address);
  }

  get(vmid: number): string | undefined {
    return this.#byVmid.get(vmid);
  }

  /** An address on which the container's sshd can listen. */
  async acquire(vmid: number, files: ContainerFiles): Promise<string> {
    const had = this.#byVmid.get(vmid);
    if (had !== undefined && (await isFree(had, sshPort))) return had;
    for (const address of addressesOf(this.#subnet)) {
      if ([...this.#byVmid.values()].includes(address)) continue;
      // Taken before anything is awaited: containers start in parallel.
      this.#byVmid.set(vmid, address);
      if (!(await isFree(address, sshPort))) continue;
      await saveJson(files.lease, { address });
      return address;
    }
    this.#byVmid.delete(vmid);
    throw new Error("no loopback address is free: delete containers that are not needed");
  }

  release(vmid: number): void {
    this.#byVmid.delete(vmid);
  }
}
