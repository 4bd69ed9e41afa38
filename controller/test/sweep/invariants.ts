import { expect } from "vitest";
import { hashSecret } from "../../src/fleet/keys.ts";
import type { Facts } from "./facts.ts";
import type { FlowWorld, Standing } from "./flows.ts";

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
  const [sandbox] = facts.sandboxes;
  expect(summary(facts), describe(facts)).toEqual({
    containers: sandbox ? [{ vmid: sandbox.vmid, lock: undefined, running: standing === "ready" }] : [],
    claims: sandbox ? [{ vmid: sandbox.vmid, sandbox_id: sandbox.id, state: "held", asked: false }] : [],
    templateLock: undefined,
    runningTasks: [],
    error: null,
    task: null,
    attempts: 0,
  });
  return facts;
}

/** Asserts that the container has the one identity that the database knows. */
export function expectOneIdentity(facts: Facts, root: (vmid: number) => ReadonlyMap<string, string>): void {
  const [sandbox] = facts.sandboxes;
  if (!sandbox?.bootstrapped_at || sandbox.vmid === null) return;
  const config: { secret: string; machineId: string } = JSON.parse(
    root(sandbox.vmid).get("etc/berth/agent.json") ?? "",
  );
  const valid = [sandbox.agent_secret_hash, ...sandbox.former_agent_secret_hashes];
  expect(valid).toContain(hashSecret(config.secret));
  expect(config.machineId).toBe(sandbox.machine_id);
}

function isSettled({ sandboxes, underWay }: Facts, standing: Standing): boolean {
  if (underWay.length > 0) return false;
  const [sandbox] = sandboxes;
  if (standing === "absent") return sandbox === undefined;
  return sandbox?.state === standing && sandbox.look_at === null;
}

function summary({ sandboxes, claims, containers, templateLock, runningTasks }: Facts) {
  const [sandbox] = sandboxes;
  return {
    containers,
    claims,
    templateLock,
    runningTasks,
    error: sandbox?.error ?? null,
    task: sandbox?.task ?? null,
    attempts: sandbox?.attempts ?? 0,
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
