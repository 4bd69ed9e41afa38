import type { ContainerSetting } from "@berth/protocol";
import { type ContainerConfig, type ContainerRef, isProxmoxError } from "@berth/proxmox";
import type { OperationRow } from "../../operations/record.ts";
import { settingsOfContainer, settingsOfRow } from "../container-settings.ts";
import { StepFailure } from "../failures.ts";
import type { SandboxRow } from "../record.ts";
import { beginOn } from "../task-watch.ts";
import { type ActionDependencies, place } from "./dependencies.ts";

/**
 * Gives a container the settings that were changed. It may run: Proxmox applies what it can at once, and keeps the rest
 * for the next start, which is then told.
 */
export async function change(deps: ActionDependencies, row: SandboxRow, operation: OperationRow): Promise<void> {
  const at = place(row);
  const wanted = settingsOfRow(row);
  const before = await deps.client.containers.config(at);
  await configureLive(deps, at, row, before);
  await growDisk(deps, row, operation, "change", before);
  const restartNeeded = await pendingOf(deps, at);
  const { cores, memoryMiB, diskGiB, onBoot, protection } = wanted;
  const kept = [onBoot ? "starts with its node" : "", protection ? "protected" : ""].filter(Boolean).join(", ");
  const size = `${cores} cores, ${memoryMiB} MiB of memory, ${diskGiB} GiB of disk`;
  await deps.journal.log(operation, "change", "berth", `it has ${size}${kept === "" ? "" : `; ${kept}`}`);
  if (restartNeeded.length > 0)
    await deps.journal.log(operation, "change", "berth", `from the next restart on: ${restartNeeded.join(", ")}`);
  await deps.sandboxes.noteChanged(row, { restart_needed: restartNeeded, drift: "[]" });
}

/** Grows a container's disk to the size that is wanted, if it is smaller. */
export async function growDisk(
  deps: ActionDependencies,
  row: SandboxRow,
  operation: OperationRow,
  step: "configure" | "change",
  config: ContainerConfig,
): Promise<void> {
  const at = place(row);
  const found = settingsOfContainer(config);
  if (!found || row.disk_gib <= found.diskGiB) return;
  const order = { disk: "rootfs", size: `${row.disk_gib}G` } as const;
  const begin = () => beginOn(deps.client, at, "resize", () => deps.client.containers.resize(at, order));
  await deps.tasks.run(row, operation, step, begin, []);
}

async function configureLive(
  { client }: ActionDependencies,
  at: ContainerRef,
  row: SandboxRow,
  before: ContainerConfig,
): Promise<void> {
  const wanted = settingsOfRow(row);
  const found = settingsOfContainer(before);
  const differing = <Name extends "cores" | "memoryMiB" | "onBoot" | "protection">(name: Name) =>
    found?.[name] === wanted[name] ? undefined : wanted[name];
  try {
    await client.containers.configure(at, {
      digest: before.digest,
      cores: differing("cores"),
      memoryMiB: differing("memoryMiB"),
      startsAtBoot: differing("onBoot"),
      protection: differing("protection"),
    });
  } catch (error) {
    if (!isProxmoxError(error, "invalid")) throw error;
    // What a running container cannot take up, such as less memory than it uses, is refused and kept as pending.
    const after = settingsOfContainer(await client.containers.config(at));
    if (after?.cores === wanted.cores && after.memoryMiB === wanted.memoryMiB) return;
    throw new StepFailure(
      { code: "change_refused", message: error.message, hint: "Choose other values, or stop the sandbox first." },
      { retry: false, cause: error },
    );
  }
}

/** What Proxmox keeps for the next start. */
export async function pendingOf({ client }: ActionDependencies, at: ContainerRef): Promise<ContainerSetting[]> {
  const [merged, live] = [
    settingsOfContainer(await client.containers.config(at)),
    settingsOfContainer(await client.containers.config(at, { current: true })),
  ];
  if (!merged || !live) return [];
  const pending: ContainerSetting[] = [];
  if (merged.cores !== live.cores) pending.push("cores");
  if (merged.memoryMiB !== live.memoryMiB) pending.push("memoryMiB");
  return pending;
}
