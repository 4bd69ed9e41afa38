import { availableParallelism, cpus, freemem, loadavg, release, totalmem, uptime } from "node:os";
import type { Proxmox } from "proxmox-api";
import type { ClusterNode } from "../cluster/cluster.ts";
import type { Emulation } from "../emulation.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { node } from "../schema/parameters.ts";
import { pveVersion } from "../version.ts";

/** What each host tells of itself. */
export function nodeRoutes(emulation: Emulation): Route[] {
  const { site, backend } = emulation;
  return [
    defineRoute({
      method: "GET",
      path: "/nodes",
      permission: "all",
      parameters: {},
      async handle(): Promise<Proxmox.nodesIndex[]> {
        const { totalBytes, availableBytes } = await backend.disks.space();
        const disk = { disk: totalBytes - availableBytes, maxdisk: totalBytes };
        return Promise.all(
          emulation.cluster.nodes.map(async (node) => ({
            node: node.name,
            id: `node/${node.name}`,
            type: "node",
            status: node.online ? "online" : "offline",
            level: "",
            ssl_fingerprint: node.fingerprint,
            ...(node.online ? { ...(await figures(emulation, node)), ...disk } : {}),
          })),
        );
      },
    }),
    defineRoute({
      method: "GET",
      path: "/nodes/{node}/status",
      permission: { path: "/nodes/{node}", privileges: ["Sys.Audit"] },
      parameters: { node },
      async handle() {
        const { totalBytes, availableBytes } = await backend.disks.space();
        const here = emulation.cluster.find(site.node);
        const { maxmem, mem, cpu, maxcpu } = here ? await figures(emulation, here) : machineFigures();
        return {
          pveversion: `pve-manager/${pveVersion.version}/${pveVersion.repoid}`,
          kversion: `Linux ${release()}`,
          uptime: Math.floor(uptime()),
          loadavg: loadavg().map((value) => value.toFixed(2)),
          cpu,
          wait: 0,
          cpuinfo: {
            cpus: maxcpu,
            cores: maxcpu,
            sockets: 1,
            model: cpus()[0]?.model ?? "",
          },
          memory: { total: maxmem, used: mem, free: maxmem - mem },
          swap: { total: 0, used: 0, free: 0 },
          rootfs: { total: totalBytes, used: totalBytes - availableBytes, free: availableBytes, avail: availableBytes },
        };
      },
    }),
    defineRoute({
      method: "GET",
      path: "/nodes/{node}/network",
      permission: "all",
      parameters: {
        node,
        type: {
          type: "string",
          optional: true,
          enum: [
            ..."bridge bond eth alias vlan OVSBridge OVSBond OVSPort OVSIntPort vnet any_bridge any_local_bridge".split(
              " ",
            ),
          ],
        },
      },
      handle({ params }) {
        const bridge = { iface: site.bridge, type: "bridge", active: 1, autostart: 1, method: "manual", priority: 3 };
        return params.type === undefined || params.type.includes("bridge") ? [bridge] : [];
      },
    }),
  ];
}

/** Memory and processor of a host, as lists show them. */
export interface NodeFigures {
  readonly cpu: number;
  readonly maxcpu: number;
  readonly mem: number;
  readonly maxmem: number;
  readonly uptime: number;
}

/** Those of a host that has a size of its own are what its containers use, and it itself; otherwise it is the machine. */
export async function figures(
  { backend, store }: Emulation,
  { name, cores, memoryBytes, ownMemoryBytes }: ClusterNode,
): Promise<NodeFigures> {
  const machine = machineFigures();
  if (memoryBytes === undefined) return { ...machine, maxcpu: cores ?? machine.maxcpu };
  const running = store.everywhere().filter(({ vmid, node }) => node === name && backend.running(vmid));
  const usages = await Promise.all(running.map(({ vmid }) => backend.usage(vmid)));
  const mem = usages.reduce((sum, usage) => sum + usage.memoryBytes, ownMemoryBytes);
  return { ...machine, maxcpu: cores ?? machine.maxcpu, mem: Math.min(mem, memoryBytes), maxmem: memoryBytes };
}

function machineFigures(): NodeFigures {
  const maxcpu = availableParallelism();
  return {
    cpu: Math.min(1, (loadavg()[0] ?? 0) / maxcpu),
    maxcpu,
    mem: totalmem() - freemem(),
    maxmem: totalmem(),
    uptime: Math.floor(uptime()),
  };
}
