import { type ContainerConfig, formatPropertyString } from "@berth/proxmox";
import type { OperationRow } from "../../operations/record.ts";
import { settingsOfContainer } from "../container-settings.ts";
import type { SandboxRow } from "../record.ts";
import { growDisk } from "./change.ts";
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
    // Whatever the container is a copy of may have them set.
    startsAtBoot: row.on_boot === config.startsAtBoot ? undefined : row.on_boot,
    protection: row.protection === config.protection ? undefined : row.protection,
    tags: ["berth"],
    net0: networkCard(config, { bridge: deps.bridge, vlan: row.vlan ?? deps.vlan }),
  });
  await growDisk(deps, row, operation, "configure", config);
  const disk = settingsOfContainer(config)?.diskGiB ?? 0;
  const size = `${row.cores} cores, ${row.memory_mib} MiB of memory, ${row.disk_gib} GiB of disk`;
  await deps.journal.log(operation, "configure", "berth", `gave it ${size}`);
  await deps.sandboxes.change(row, { configured: true, ...(disk > row.disk_gib ? { disk_gib: disk } : {}) });
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
