import type { ListedTask } from "@berth/proxmox";
import { expect } from "vitest";
import { hashSecret } from "../../src/fleet/keys.ts";
import type { Facts } from "./facts.ts";
import { type FlowWorld, isOwned, keptSnapshot, type Standing } from "./flows.ts";

/** Waits until nothing is under way any more, and asserts that everything is as it should be. */
export async function expectSettled(world: FlowWorld, standing: Standing): Promise<Facts> {
  const facts = await world
    .until(`the world settles ${standing}`, async () => {
      const now = await world.facts();
      return isSettled(now, standing) ? now : undefined;
    })
    .catch(async (cause: unknown) => {
      throw new Error(`${String(cause)}; instead: ${describe(await world.facts())}`, { cause });
    });
  if (standing === "orphaned") {
    expect(facts, describe(facts)).toMatchObject({ containers: [{ running: true, lock: undefined }], claims: [] });
    return facts;
  }
  const snapshots = standing === "kept" ? [keptSnapshot] : [];
  const { sandboxes } = facts;
  const byId = (a: { vmid: number | null }, b: { vmid: number | null }) => (a.vmid ?? 0) - (b.vmid ?? 0);
  expect(summary(facts), describe(facts)).toEqual({
    containers: sandboxes
      .map(({ vmid, cores }) => ({
        vmid,
        cores,
        lock: undefined,
        running: standing !== "stopped" && standing !== "asleep",
        snapshots,
      }))
      .toSorted(byId),
    claims: sandboxes.map(({ vmid, id }) => ({ vmid, sandbox_id: id, state: "held", asked: false })).toSorted(byId),
    templateLock: undefined,
    templates: facts.built.map(({ vmid }) => ({ vmid, state: "ready" })),
    locksOfTemplates: facts.built.map(() => undefined),
    runningTasks: [],
    left: sandboxes.map(() => ({ error: null, task: null, attempts: 0, wish: false, drift: [], temporary: false })),
  });
  return facts;
}

/** Asserts that the container has the one identity that the database knows. */
export function expectOneIdentity(facts: Facts, root: (vmid: number) => ReadonlyMap<string, string>): void {
  const machineIds = new Set<string>();
  for (const sandbox of facts.sandboxes) {
    if (!sandbox.bootstrapped_at || sandbox.vmid === null) continue;
    const config: { sandboxId: string; secret: string; machineId: string } = JSON.parse(
      root(sandbox.vmid).get("etc/berth/agent.json") ?? "",
    );
    const valid = [sandbox.agent_secret_hash, ...sandbox.former_agent_secret_hashes];
    expect(valid).toContain(hashSecret(config.secret));
    expect(config).toMatchObject({ sandboxId: sandbox.id, machineId: sandbox.machine_id });
    expect(machineIds).not.toContain(config.machineId);
    machineIds.add(config.machineId);
  }
}

function isSettled({ sandboxes, underWay, builds, built }: Facts, standing: Standing): boolean {
  if (underWay.length > 0 || builds.some(({ state }) => state !== "ready")) return false;
  if (built.length !== (standing === "rebuilt" ? 1 : 0)) return false;
  const counts = { rebuilt: 1, absent: 0, ready: 1, stopped: 1, asleep: 1, kept: 1, copied: 2, orphaned: 0, pooled: 1 };
  if (sandboxes.length !== counts[standing]) return false;
  if (!sandboxes.every((sandbox) => isOwned(sandbox) === (standing !== "pooled"))) return false;
  const state = standing === "stopped" || standing === "asleep" ? standing : "ready";
  return sandboxes.every((sandbox) => sandbox.state === state && sandbox.look_at === null);
}

function summary({ sandboxes, claims, containers, template, built, builds, runningTasks }: Facts) {
  const byId = (a: { vmid: number }, b: { vmid: number }) => a.vmid - b.vmid;
  return {
    containers: containers.map(({ values: _values, ...shown }) => shown).toSorted(byId),
    claims: claims.toSorted(byId),
    templateLock: template?.values.lock,
    templates: builds,
    locksOfTemplates: built.map(({ values }) => values.lock),
    runningTasks,
    left: sandboxes.map(({ error, task, attempts, change_wanted, handover_wanted, disk_work, drift, source }) => ({
      ...{ error, task, attempts, drift },
      wish: change_wanted || handover_wanted || disk_work !== null,
      temporary: source?.temporary ?? false,
    })),
  };
}

/** What there is, for a person who has to find out why. */
export function describe({ sandboxes, ...others }: Facts): string {
  const rows = sandboxes.map(
    ({ state, desired, vmid, look_at, error, task, attempts, configured, boot_done, boot_wanted }) => ({
      state,
      desired,
      vmid,
      look_at,
      error,
      task,
      attempts,
      configured,
      boots: `${boot_done}/${boot_wanted}`,
    }),
  );
  return JSON.stringify({ sandboxes: rows, ...others });
}

/** Asserts that no build made a container before it had taken away the one before: of a build's tasks, in any order. */
export function expectOneBuild(
  tasks: readonly Pick<ListedTask, "type" | "exitStatus" | "id" | "startedAtSeconds">[],
): void {
  const made = tasks.filter(({ type, exitStatus }) => type === "vzcreate" && exitStatus === "OK");
  for (const { id, startedAtSeconds } of made) {
    const gone = tasks.find((task) => task.type === "vzdestroy" && task.id === id && task.exitStatus === "OK");
    const later = made.filter((other) => other.id !== id && other.startedAtSeconds >= startedAtSeconds);
    const beside = later.filter((other) => gone === undefined || gone.startedAtSeconds > other.startedAtSeconds);
    expect(beside, `beside the container ${id}`).toEqual([]);
  }
}
