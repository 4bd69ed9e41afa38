import { BerthError, type RouteInput, type Sandbox, type updateSandbox } from "@berth/protocol";
import type { UnitOfWork } from "../http/context.ts";
import type { FleetLimits } from "../limits/limits.ts";
import type { OperationJournal } from "../operations/journal.ts";
import { driftBetween, settingsOfRow } from "./container-settings.ts";
import type { SandboxRow } from "./record.ts";
import type { Sandboxes } from "./repository.ts";
import { nameTaken, type SandboxService, sleepAfter } from "./service.ts";

type ChangeBody = RouteInput<typeof updateSandbox>["body"];

export interface ChangeDependencies {
  readonly sandboxes: Sandboxes;
  readonly service: Pick<SandboxService, "begin" | "look">;
  readonly journal: OperationJournal;
  readonly limits: FleetLimits;
}

/**
 * Writes down how a sandbox is to be from now on. What concerns its container is applied by an operation of its own, or
 * with the one that is under way. Throws `name_taken`, `conflict`, `limit_exceeded`, and `invalid_request` for a disk that would shrink.
 */
export async function changeSandbox(
  work: UnitOfWork,
  { sandboxes, service, journal, limits }: ChangeDependencies,
  { id }: SandboxRow,
  body: ChangeBody,
): Promise<Sandbox> {
  const row = await sandboxes.lock(work, id);
  if (!row) throw new BerthError("not_found", `There is no sandbox ${id}.`);
  const { name, env, sleepAfterMinutes } = body;
  if (name !== undefined && name !== row.name) {
    const taken = await work.trx.selectFrom("sandboxes").select("id").where("name", "=", name).executeTakeFirst();
    if (taken) throw nameTaken(name);
  }
  const settings = wantedSettings(row, body);
  if (settings.change_wanted) {
    const { cores, memory_mib: memoryMiB, disk_gib: diskGiB } = settings;
    const wish = { ownerId: row.owner_id, sandboxId: row.id, running: row.desired !== "stopped" };
    await limits.require(work, { ...wish, size: { cores, memoryMiB, diskGiB } });
  }
  await sandboxes.changeIn(work, row, {
    ...(name === undefined ? {} : { name }),
    ...(env === undefined ? {} : { env: JSON.stringify(env) }),
    ...(sleepAfterMinutes === undefined ? {} : { sleep_after: sleepAfter(sleepAfterMinutes) }),
    ...settings,
  });
  // Its description tells these.
  if ((name !== undefined || sleepAfterMinutes !== undefined) && row.vmid !== null) await service.look(work, row);
  // A container that is still to be configured gets its settings then.
  if (settings.change_wanted && row.vmid !== null) {
    await service.look(work, row);
    if (!(await journal.current(row.id, work.trx))) await service.begin(work, row, "change");
  }
  return sandboxes.present(row, work.trx);
}

/** What changes of the container's settings; nothing where all is as it is wanted, in Proxmox too. */
function wantedSettings(row: SandboxRow, { cores, memoryMiB, diskGiB, onBoot, protection }: ChangeBody) {
  const now = settingsOfRow(row);
  const wanted = {
    cores: cores ?? now.cores,
    memoryMiB: memoryMiB ?? now.memoryMiB,
    diskGiB: diskGiB ?? now.diskGiB,
    onBoot: onBoot ?? now.onBoot,
    protection: protection ?? now.protection,
  };
  const given = { cores, memoryMiB, diskGiB, onBoot, protection };
  const drifted = row.drift.some(({ setting }) => given[setting] !== undefined);
  if (driftBetween(wanted, now).length === 0 && !drifted) return {};
  if (row.desired === "destroyed") throw new BerthError("conflict", `The sandbox "${row.name}" is being destroyed.`);
  refuseToShrink(row, diskGiB);
  return {
    cores: wanted.cores,
    memory_mib: wanted.memoryMiB,
    disk_gib: wanted.diskGiB,
    on_boot: wanted.onBoot,
    protection: wanted.protection,
    change_wanted: true,
  };
}

function refuseToShrink(row: SandboxRow, diskGiB: number | undefined): void {
  if (diskGiB === undefined) return;
  const found = row.drift.find(({ setting }) => setting === "diskGiB")?.found;
  const has = typeof found === "number" ? found : row.disk_gib;
  if (diskGiB >= has) return;
  throw new BerthError("invalid_request", `The disk of "${row.name}" has ${has} GiB and cannot be made smaller.`, {
    hint: "Make a smaller sandbox, and sync the workspace into it.",
    fields: { diskGiB: `must be at least ${has}` },
  });
}
