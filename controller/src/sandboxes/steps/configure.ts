import { type ContainerConfig, formatPropertyString } from "@berth/proxmox";
import { gibOf } from "../../cluster/sizes.ts";
import type { OperationRow } from "../../operations/record.ts";
import type { SandboxRow } from "../record.ts";
import { type ActionDependencies, place } from "./dependencies.ts";

/** Gives a fresh clone its size and its network. */
export async function configure(deps: ActionDependencies, row: SandboxRow, operation: OperationRow): Promise<void> {
  const at = place(row);
  const config = await deps.client.containers.config(at);
  await deps.client.containers.configure(at, {
    digest: config.digest,
    cores: row.cores,
    memoryMiB: row.memory_mib,
    tags: ["berth"],
    net0: networkCard(config, deps),
  });
  const disk = gibOf(config.rootfs?.size) ?? 0;
  if (row.disk_gib > disk) {
    const begin = () => deps.client.containers.resize(at, { disk: "rootfs", size: `${row.disk_gib}G` });
    await deps.tasks.run(row, operation, "configure", begin, []);
  }
  const size = `${row.cores} cores, ${row.memory_mib} MiB of memory, ${row.disk_gib} GiB of disk`;
  await deps.journal.log(operation, "configure", "berth", `gave it ${size}`);
  await deps.sandboxes.change(row, { configured: true, ...(disk > row.disk_gib ? { disk_gib: Math.ceil(disk) } : {}) });
}

/** The clone's network card on the fleet's bridge and VLAN, where the settings name them; otherwise as the template has it. */
function networkCard(config: ContainerConfig, { bridge, vlan }: ActionDependencies): string | undefined {
  const card = config.nets.get(0);
  if (!card || (bridge === undefined && vlan === undefined)) return undefined;
  return formatPropertyString({
    ...card,
    ...(bridge === undefined ? {} : { bridge }),
    ...(vlan === undefined ? {} : { tag: vlan }),
  });
}
