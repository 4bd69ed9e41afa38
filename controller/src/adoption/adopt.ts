import type { Clock } from "@berth/base";
import { BerthError, nameSchema, type Operation, type Sandbox } from "@berth/protocol";
import { Value } from "typebox/value";
import type { UnitOfWork } from "../http/context.ts";
import { suggestName } from "../sandboxes/names.ts";
import type { Sandboxes } from "../sandboxes/repository.ts";
import { type SandboxService, sleepAfter } from "../sandboxes/service.ts";
import { reach } from "../templates/finder.ts";
import type { FoundOrphan } from "./orphans.ts";
import type { ToldOrphans } from "./told-orphans.ts";

export interface AdoptDependencies {
  sandboxes: Sandboxes;
  service: Pick<SandboxService, "begin">;
  toldOrphans: Pick<ToldOrphans, "adopted">;
  clock: Clock;
}

/**
 * Makes a sandbox of an orphan again: the same id, its name if that is free, its owner if there is such a user, and
 * `callerId` otherwise; when it is to sleep is told too. It stays as it is, running or stopped; one that runs is signed
 * in to by the host key that this fleet gave it and no other, and its agent gets a new secret. Size, VLAN, start on boot
 * and protection are the container's; its environment and its terminals come back with its bootstrap (`kept`), its
 * project does not. Limits do not count, since it is there already. Asks nobody outside: the orphan is as it was seen
 * before. Throws `conflict` if somebody was quicker, or it cannot be adopted.
 */
export async function adopt(
  work: UnitOfWork,
  { sandboxes, service, toldOrphans, clock }: AdoptDependencies,
  { orphan, config, owner, settings, vlan }: FoundOrphan,
  callerId: string,
): Promise<{ sandbox: Sandbox; operation: Operation }> {
  if (!settings) throw new BerthError("conflict", `${orphan.vmid} cannot be adopted: ${orphan.obstacle}`);
  const { vmid, node, sandboxId } = orphan;
  const now = new Date(clock.now());
  const row = await work.trx
    .insertInto("sandboxes")
    .values({
      ...{
        id: sandboxId,
        name: await nameFor(work, orphan.name),
        owner_id: await ownerFor(work, orphan.owner, callerId),
      },
      ...{ cores: settings.cores, memory_mib: settings.memoryMiB, disk_gib: settings.diskGiB },
      ...{ on_boot: settings.onBoot, protection: settings.protection, vlan },
      sleep_after: sleepAfter(owner.told?.sleepAfter),
      ...{ workspace: JSON.stringify({ type: "empty" }), workspace_filled: true, env: "{}" },
      ...{ vmid, node, template_vmid: orphan.template, configured: true },
      ...sshOf(config),
      ...{ host_key_fingerprint: owner.hostKeyFingerprint, boot_wanted: 1, boot_done: 1 },
      ...(orphan.power === "running"
        ? { desired: "running" as const, state: "starting" }
        : { desired: "stopped" as const, state: "stopping" }),
      ...{ look_at: now, created_at: now },
    })
    .onConflict((conflict) => conflict.doNothing())
    .returningAll()
    .executeTakeFirst();
  if (!row) throw taken(vmid);
  const claim = await work.trx
    .insertInto("claims")
    .values({ vmid, sandbox_id: sandboxId, node, state: "held", created_at: now })
    .onConflict((conflict) => conflict.doNothing())
    .returning("vmid")
    .executeTakeFirst();
  if (!claim) throw taken(vmid);
  const operation = await service.begin(work, row, "adopt");
  await toldOrphans.adopted(work, orphan);
  return { sandbox: await sandboxes.present(row, work.trx), operation };
}

function sshOf(config: FoundOrphan["config"]) {
  const { sshPort, sshUser } = reach(config);
  return { ssh_port: sshPort, ssh_user: sshUser };
}

function taken(vmid: number): BerthError {
  return new BerthError(
    "conflict",
    `The container ${vmid} was adopted by somebody else, or its name taken, just now.`,
    {
      hint: "Look at the list again.",
    },
  );
}

async function ownerFor({ trx }: UnitOfWork, username: string | null, callerId: string): Promise<string> {
  if (username === null) return callerId;
  const user = await trx.selectFrom("users").select("id").where("username", "=", username).executeTakeFirst();
  return user?.id ?? callerId;
}

const longestName = 63;
const maxTries = 1_000;

/** The name that it had; with a number behind it where another has that now. */
async function nameFor({ trx }: UnitOfWork, told: string | null): Promise<string> {
  const name = told !== null && Value.Check(nameSchema, told) ? told : suggestName();
  for (let number = 1; number <= maxTries; number += 1) {
    const suffix = number === 1 ? "" : `-${number}`;
    const candidate = `${name.slice(0, longestName - suffix.length)}${suffix}`;
    const other = await trx.selectFrom("sandboxes").select("id").where("name", "=", candidate).executeTakeFirst();
    if (!other) return candidate;
  }
  throw new BerthError("name_taken", `Every name like ${name} is taken.`, { hint: "Rename some." });
}
