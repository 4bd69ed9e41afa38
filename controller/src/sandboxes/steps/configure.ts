import { type ContainerConfig, formatPropertyString } from "@berth/proxmox";
import { gibOf } from "../../cluster/sizes.ts";
import type { OperationRow } from "../../operations/record.ts";
import type { SandboxRow } from "../record.ts";
import { beginOn } from "../task-watch.ts";
import { type ActionDependencies, place } from "./dependencies.ts";

/** Gives a fresh clone its size and its network. */
export async function configure(deps: ActionDependencies, row: SandboxRow, operation: OperationRow): Promise<void> {
  // It was found here, whatever was seen of the call that made it.
  await deps.claims.noteAsked(row.id, false);
  const at = place(row);
  const config = await deps.client.containers.config(at);
  await deps.client.containers.configure(at, {
    digest: config.digest,
    cores: row.cores,
    memoryMiB: row.memory_mib,
    tags: ["berth"],
    net0: networkCard(config, { bridge: deps.bridge, vlan: row.vlan ?? deps.vlan }),
  });
  const disk = gibOf(config.rootfs?.size) ?? 0;
  if (row.disk_gib > disk) {
    const order = { disk: "rootfs", size: `${row.disk_gib}G` } as const;
    const begin = () => beginOn(deps.client, at, "resize", () => deps.client.containers.resize(at, order));
    await deps.tasks.run(row, operation, "configure", begin, []);
  }
  const size = `${row.cores} cores, ${row.memory_mib} MiB of memory, ${row.disk_gib} GiB of disk`;
  await deps.journal.log(operation, "configure", "berth", `gave it ${size}`);
  await deps.sandboxes.change(row, { configured: true, ...(disk > row.disk_gib ? { disk_gib: Math.ceil(disk) } : {}) });
}

/** The clone's network card on this bridge and VLAN, where one is named; otherwise as the template has it. */
function networkCard(
  config: ContainerConfig,
  { bridge, vlan }: Pick<ActionDependencies, "bridge" | "vlan">,
): string | undefined {
  const card = config.nets.get(0);
  if (!card || (bridge === undefined && vlan === undefined)) return undefined;
  return formatPropertyString({
    ...card,
    ...(bridge === undefined ? {} : { bridge }),
    ...(vlan === undefined ? {} : { tag: vlan }),
  });
}
