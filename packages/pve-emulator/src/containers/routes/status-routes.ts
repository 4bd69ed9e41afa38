import type { Proxmox } from "proxmox-api";
import { onContainer } from "../../access/permission.ts";
import type { ContainerInterface } from "../../backend/backend.ts";
import type { Emulation } from "../../emulation.ts";
import { defineRoute, type Route } from "../../http/route.ts";
import { node, vmid } from "../../schema/parameters.ts";
import { cardsOf } from "../network-cards.ts";
import type { StatusReader } from "../status.ts";

export function statusRoutes(emulation: Emulation, statuses: StatusReader): Route[] {
  const { store, rights, backend } = emulation;
  const directory = (path: string, entries: readonly string[]) =>
    defineRoute({
      method: "GET",
      path,
      permission: "all",
      parameters: { node, vmid },
      handle({ params }) {
        store.require(params.vmid);
        return entries.map((subdir) => ({ subdir }));
      },
    });
  return [
    defineRoute({
      method: "GET",
      path: "/nodes/{node}/lxc",
      permission: "all",
      parameters: { node },
      handle({ caller }): Promise<Proxmox.nodesLxcVm[]> {
        const visible = store.all().filter((container) => rights.has(caller, `/vms/${container.vmid}`, "VM.Audit"));
        return Promise.all(visible.map((container) => statuses.read(container)));
      },
    }),
    directory("/nodes/{node}/lxc/{vmid}", [
      ..."clone config feature firewall interfaces pending resize snapshot status".split(" "),
    ]),
    directory("/nodes/{node}/lxc/{vmid}/status", [..."current reboot resume shutdown start stop suspend".split(" ")]),
    defineRoute({
      method: "GET",
      path: "/nodes/{node}/lxc/{vmid}/status/current",
      permission: onContainer("VM.Audit"),
      parameters: { node, vmid },
      async handle({ params }): Promise<Proxmox.nodesLxcStatusCurrentVmStatus> {
        return { ...(await statuses.read(store.require(params.vmid))), ha: { managed: 0 } };
      },
    }),
    defineRoute({
      method: "GET",
      path: "/nodes/{node}/lxc/{vmid}/interfaces",
      permission: onContainer("VM.Audit"),
      parameters: { node, vmid },
      async handle({ params }) {
        // Stopped, or not there at all: PVE answers null to both.
        const container = store.find(params.vmid);
        if (!container || !backend.running(params.vmid)) return null;
        return (await backend.interfaces(params.vmid, cardsOf(container.values))).map(describeInterface);
      },
    }),
  ];
}

function describeInterface({ name, mac, addresses }: ContainerInterface): Proxmox.nodesLxcInterfacesIp {
  const first = (family: string) => {
    const found = addresses.find((one) => one.family === family);
    return found ? { [family]: `${found.address}/${found.prefix}` } : {};
  };
  return {
    name,
    hwaddr: mac,
    "hardware-address": mac,
    ...first("inet"),
    ...first("inet6"),
    "ip-addresses": addresses.map(({ address, family, prefix }) => ({
      "ip-address": address,
      "ip-address-type": family,
      prefix: String(prefix),
    })),
  };
}
