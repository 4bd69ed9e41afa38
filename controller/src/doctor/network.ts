import type { DoctorCheck } from "@berth/protocol";
import type { ProxmoxClient } from "@berth/proxmox";
import { briefly, fine, look, troubled } from "./check.ts";

/** Whether each node has the bridge that sandboxes are connected to. */
export async function checkBridges(
  client: ProxmoxClient,
  nodes: readonly string[],
  { bridge, vlan }: { bridge: string; vlan: number | undefined },
): Promise<readonly DoctorCheck[]> {
  const checks = await Promise.all(
    nodes.map((node) => {
      const subject = { id: `bridge:${node}`, title: `Bridge ${bridge} on ${node}` };
      return look(subject, async () => {
        const bridges = await client.nodes.bridges(node, briefly());
        const found = bridges.find(({ name }) => name === bridge);
        if (!found) {
          const names = bridges.map(({ name }) => name).join(", ") || "none";
          return troubled(
            subject,
            "failed",
            `There is no such bridge; those that the token sees: ${names}.`,
            `Make it on the node (System, Network), or choose one that is there (PROXMOX_BRIDGE).`,
          );
        }
        if (!found.active) {
          return troubled(subject, "failed", "It is there, and not active.", `On ${node}: ifup ${bridge}`);
        }
        // A bridge that knows no VLANs gets a second one for each tag, which Proxmox makes by itself.
        return fine(subject, vlan === undefined ? "It is there." : `It is there; sandboxes have the VLAN ${vlan}.`);
      });
    }),
  );
  return checks.flat();
}
