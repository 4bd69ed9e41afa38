import { availableParallelism, cpus, freemem, loadavg, release, totalmem, uptime } from "node:os";
import type { Proxmox } from "proxmox-api";
import type { Emulation } from "../emulation.ts";
import { defineRoute, type Route } from "../http/route.ts";
import { node } from "../schema/parameters.ts";
import { pveVersion } from "../version.ts";

/** The node is the machine itself. */
export function nodeRoutes({ site, backend }: Emulation): Route[] {
  return [
    defineRoute({
      method: "GET",
      path: "/nodes",
      permission: "all",
      parameters: {},
      async handle(): Promise<Proxmox.nodesIndex[]> {
        const { totalBytes, availableBytes } = await backend.disks.space();
        return [
          {
            node: site.node,
            id: `node/${site.node}`,
            type: "node",
            status: "online",
            level: "",
            ssl_fingerprint: site.fingerprint,
            ...figures(),
            disk: totalBytes - availableBytes,
            maxdisk: totalBytes,
          },
        ];
      },
    }),
    defineRoute({
      method: "GET",
      path: "/nodes/{node}/status",
      permission: { path: "/nodes/{node}", privileges: ["Sys.Audit"] },
      parameters: { node },
      async handle() {
        const { totalBytes, availableBytes } = await backend.disks.space();
        const { maxmem, mem, cpu } = figures();
        return {
          pveversion: `pve-manager/${pveVersion.version}/${pveVersion.repoid}`,
          kversion: `Linux ${release()}`,
          uptime: Math.floor(uptime()),
          loadavg: loadavg().map((value) => value.toFixed(2)),
          cpu,
          wait: 0,
          cpuinfo: {
            cpus: availableParallelism(),
            cores: availableParallelism(),
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

/** Memory and processor of the machine, as lists show them. */
export function figures(): { cpu: number; maxcpu: number; mem: number; maxmem: number; uptime: number } {
  const maxcpu = availableParallelism();
  return {
    cpu: Math.min(1, (loadavg()[0] ?? 0) / maxcpu),
    maxcpu,
    mem: totalmem() - freemem(),
    maxmem: totalmem(),
    uptime: Math.floor(uptime()),
  };
}
