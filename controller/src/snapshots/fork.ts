import { BerthError, type forkSandbox, newId, type Operation, type RouteInput, type Sandbox } from "@berth/protocol";
import type { EventLog } from "../events/log.ts";
import type { UnitOfWork } from "../http/context.ts";
import type { FleetLimits } from "../limits/limits.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { Sandboxes } from "../sandboxes/repository.ts";
import { freeName, nameTaken, type SandboxService } from "../sandboxes/service.ts";
import type { ForkSource } from "../store/tables.ts";
import { copyConversations } from "./copy-conversations.ts";
import { type SnapshotLook, stillThere } from "./look.ts";
import { requireMade } from "./service.ts";

type ForkBody = RouteInput<typeof forkSandbox>["body"];

export interface ForkDependencies {
  readonly sandboxes: Sandboxes;
  readonly service: Pick<SandboxService, "begin">;
  readonly limits: FleetLimits;
  readonly events: Pick<EventLog, "append">;
  /** Milliseconds since the Unix epoch. */
  now(): number;
}

/**
 * Wants a copy of a sandbox: its disk as it is, or as it was at a snapshot, which `look` has seen, with conversations of
 * its own. Throws `name_taken`, `conflict`, `limit_exceeded`, `not_found` where there is no such snapshot, and
 * `sandbox_not_ready` where there is nothing yet that could be copied.
 */
export async function fork(
  work: UnitOfWork,
  { sandboxes, service, limits, events, now }: ForkDependencies,
  { id }: SandboxRow,
  body: ForkBody,
  look?: SnapshotLook,
): Promise<{ sandbox: Sandbox; operation: Operation }> {
  // Held, so that it is not destroyed before the copy's wish stands.
  const origin = await sandboxes.lock(work, id);
  if (!origin) throw new BerthError("not_found", `There is no sandbox ${id}.`);
  requireMade(origin);
  if (origin.disk_work?.kind === "rollback") {
    throw new BerthError("conflict", `"${origin.name}" is being rolled back.`, { hint: "Wait for its end." });
  }
  const from = look && body.snapshot ? await stillThere(work, origin, look, body.snapshot) : undefined;
  const { owner_id: ownerId, cores, memory_mib: memoryMiB, disk_gib: diskGiB } = origin;
  await limits.require(work, { ownerId, size: { cores, memoryMiB, diskGiB }, running: body.start !== false });
  const name = await freeName(work, body.name);
  const row = await work.trx
    .insertInto("sandboxes")
    .values({
      ...settingsOf(origin),
      ...{ id: newId("sandbox"), name, source: JSON.stringify(sourceOf(origin, body.snapshot)) },
      desired: body.start === false ? "stopped" : "running",
      state: "provisioning",
      look_at: new Date(now()),
      created_at: new Date(now()),
    })
    .onConflict((conflict) => conflict.column("name").doNothing())
    .returningAll()
    .executeTakeFirst();
  if (!row) throw nameTaken(name);
  await copyConversations(work, events, origin, row, from?.takenAt ? new Date(from.takenAt) : undefined);
  const operation = await service.begin(work, row, "fork");
  return { sandbox: await sandboxes.present(row, work.trx), operation };
}

/** What a copy takes over. It is neither protected nor started with its node, unless somebody says so of it. */
function settingsOf(origin: SandboxRow) {
  const { owner_id, cores, memory_mib, disk_gib, template_vmid, template_id, ssh_port, ssh_user } = origin;
  const { workspace, env, vlan, project_id, base_branch, git_push } = origin;
  return {
    ...{ owner_id, cores, memory_mib, disk_gib, template_vmid, template_id, ssh_port, ssh_user },
    ...{ node_wanted: null, vlan, workspace: JSON.stringify(workspace), env: JSON.stringify(env) },
    // A clone of a project goes on in a branch of its own, and may push that, unless its source may push nothing.
    ...(git_push === "none" ? { git_push } : {}),
    ...{ project_id, base_branch, workspace_filled: project_id === null },
  };
}

function sourceOf({ id, vmid, node }: SandboxRow, snapshot: string | undefined): ForkSource {
  if (vmid === null || node === null) throw new Error(`the sandbox ${id} is made and has no container`);
  return { sandboxId: id, vmid, node, snapshot: snapshot ?? null, temporary: false, prepared: false };
}
