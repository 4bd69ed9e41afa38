import { type ContainerRef, isProxmoxError, type ProxmoxError } from "@berth/proxmox";
import { isIdFree } from "../../cluster/free-ids.ts";
import { describeOwner } from "../../fleet/ownership.ts";
import type { OperationRow } from "../../operations/record.ts";
import type { TemplateFacts } from "../../templates/finder.ts";
import { StepFailure, Superseded } from "../failures.ts";
import type { SandboxRow } from "../record.ts";
import { type ActionDependencies, place, readyTemplate } from "./dependencies.ts";
import { toldOf } from "./describe.ts";

/** What a sandbox remembers of the template that it is cloned from: another one may be the current one by then. */
export function cloneFacts(template: TemplateFacts) {
  return {
    template_vmid: template.vmid,
    template_id: template.built?.id ?? null,
    ssh_port: template.sshPort,
    ssh_user: template.sshUser,
  };
}

/**
 * The clone call takes the id or is refused: it cannot make two containers of one id. So it is safe to repeat after an
 * answer that was lost, and "exists" says to look whose that container is.
 */
export async function cloneTemplate(deps: ActionDependencies, row: SandboxRow, operation: OperationRow): Promise<void> {
  const template = await templateOf(deps, row);
  const { node, vmid } = place(row);
  const owner = await deps.sandboxes.ownerName(row);
  const storage = row.placement?.storage ?? deps.storage;
  const begin = (full: boolean) => () =>
    deps.client.containers.clone(template, {
      newId: vmid,
      hostname: row.name,
      description: describeOwner(deps.keys, row.id, vmid, toldOf(row, owner)),
      ...(deps.pool === undefined ? {} : { pool: deps.pool }),
      ...(node === template.node ? {} : { target: node }),
      ...(full ? { full: true, ...(storage === undefined ? {} : { storage }) } : {}),
    });
  const ask = (full: boolean) => askForClone(deps, row, operation, { source: template.vmid, begin: begin(full) });
  try {
    await ask(row.placement?.full === true);
  } catch (error) {
    if (isProxmoxError(error, "exists")) return await settleExisting(deps, row, template.node);
    if (isProxmoxError(error, "locked")) throw await templateLocked(deps, row, template, error);
    if (!isLinkedCloneRefused(error)) throw error;
    await ask(true);
  }
}

/** The template that the sandbox was promised, or the current one where that is gone. */
async function templateOf(deps: ActionDependencies, row: SandboxRow): Promise<TemplateFacts> {
  const promised = row.template_vmid === null ? undefined : await deps.template.at(row.template_vmid);
  if (promised && (promised.built?.id ?? null) === row.template_id) return promised;
  const current = await readyTemplate(deps.template);
  await deps.sandboxes.change(row, cloneFacts(current));
  return current;
}

/**
 * Proxmox locks the template for the whole of a clone, so that clones of one template take turns. As long as the end of
 * a call that may have been made was not seen, the claim says so.
 */
export async function askForClone(
  { claims, tasks, sandboxes }: ActionDependencies,
  row: SandboxRow,
  operation: OperationRow,
  { source, begin }: { source: number; begin: () => Promise<string> },
): Promise<void> {
  // A refusal says nothing of an earlier call whose end was not seen.
  const askedBefore = (await claims.held(row.id))?.asked ?? false;
  const whenItsTurnComes = async () => {
    // It may have waited long, and nobody may want it any more.
    if ((await sandboxes.find(row.id))?.desired === "destroyed") throw new Superseded();
    await claims.noteAsked(row.id, true);
    return begin();
  };
  try {
    await tasks.runAlone(row, operation, "clone", { source, begin: whenItsTurnComes });
  } catch (error) {
    if (isProxmoxError(error) && !error.mayHaveActed) await claims.noteAsked(row.id, askedBefore);
    throw error;
  }
  await claims.noteAsked(row.id, false);
}

/**
 * Clones of one template exclude each other, so its lock is mostly somebody's work. One that stays while no task is seen
 * was left by a worker that was killed, together with what that was making.
 */
async function templateLocked(
  deps: ActionDependencies,
  row: SandboxRow,
  { node, vmid }: TemplateFacts,
  cause: ProxmoxError<"locked">,
): Promise<StepFailure> {
  const working = await deps.client.tasks.list(node, { vmid, source: "active" });
  const message = `Proxmox holds the lock "${cause.failure.lock}" on the template ${vmid}.`;
  if (working.length > 0) {
    return new StepFailure(
      { code: "template_locked", message, hint: "A task works on it: Berth waits for its end." },
      { retry: "patiently", cause },
    );
  }
  const hint = await unlockHint(deps, row, { node, vmid });
  return new StepFailure({ code: "template_locked", message, hint }, { retry: true, cause });
}

/** How to take away what a worker has left that was killed while it cloned: the source's lock, and half a clone. */
export async function unlockHint(
  deps: ActionDependencies,
  row: SandboxRow,
  { node, vmid }: ContainerRef,
): Promise<string> {
  const left: number[] = [];
  for (const claim of await deps.claims.asked(row.id)) {
    if (!(await isIdFree(deps.client, claim.vmid))) left.push(claim.vmid);
  }
  const commands = [`pct unlock ${vmid}`, ...left.map((one) => `pct unlock ${one}; pct destroy ${one}`)].join("; ");
  const half = left.length === 0 ? "" : ` and pct config ${left.join(", ")} shows the lock "create"`;
  return `If no task works on it${half}, run on the Proxmox host ${node}: ${commands} (then try again).`;
}

export function isLinkedCloneRefused(error: unknown): boolean {
  return isProxmoxError(error, "other") && /linked clone feature/i.test(error.message);
}

/** The id was taken between the claim and the call: by a call of ours whose answer was lost, or by somebody else. */
export async function settleExisting(deps: ActionDependencies, row: SandboxRow, sourceNode: string): Promise<void> {
  const at = place(row);
  try {
    await deps.client.containers.config(at).catch((error: unknown) => {
      // Until it is made, a clone is where its source is.
      if (!isProxmoxError(error, "missing") || sourceNode === at.node) throw error;
      return deps.client.containers.config({ ...at, node: sourceNode });
    });
  } catch (error) {
    // No container has the id, so a virtual machine does, or a container on another node.
    if (isProxmoxError(error, "missing")) return await deps.claims.abandon(row);
    if (!isProxmoxError(error, "forbidden")) throw error;
    throw new StepFailure(
      {
        code: "clone_unreadable",
        message: `The id ${row.vmid} is taken by a container that may not be read: our clone on its way, or somebody else's.`,
        hint: "Nothing is to be done: Berth waits a minute, and then takes another id.",
      },
      { retry: true, cause: error },
    );
  }
}
