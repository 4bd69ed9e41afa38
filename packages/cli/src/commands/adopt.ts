import {
  adoptOrphan,
  adoptOrphans,
  listOrphans,
  type Operation,
  type Orphan,
  randomKey,
  type Sandbox,
} from "@berth/protocol";
import type { Command } from "commander";
import { wrongUsage } from "../failure.ts";
import { followOperation } from "../operation.ts";
import { flag } from "../options.ts";
import { harmless } from "../output/style.ts";
import type { Session } from "../session.ts";
import { describe, does, groups, type Run } from "./register.ts";

/** `berth adopt`: containers of the fleet's that belong to no sandbox, and how they become sandboxes again. */
export function adoptCommand(run: Run): Command {
  const command = describe("adopt", {
    summary: "List containers of Berth's that belong to no sandbox, or make sandboxes of them again",
    more: "Such as after the database was lost. Whose they are says their signed description; nothing is destroyed.",
    examples: ["berth adopt                   # the list", "berth adopt 151", "berth adopt --all"],
    group: groups.more,
  })
    .argument("[vmid]", "the id of a container")
    .option("--all", "all of them")
    .option("--no-wait", "do not wait until their agents are back");
  return does(command, run, async (session, at) => {
    const [vmid] = at.args;
    if (vmid !== undefined && flag(at, "all")) throw wrongUsage("Say an id or --all, not both.");
    if (vmid !== undefined) await tell(session, at, [await adoptOne(session, vmid)]);
    else if (flag(at, "all")) await tell(session, at, await adoptAll(session));
    else await list(session);
    return undefined;
  });
}

interface Adopted {
  readonly sandbox: Sandbox;
  readonly operation: Operation;
}

async function list(session: Session): Promise<void> {
  const { output, signal } = session;
  const orphans = await (await session.client()).call(listOrphans, { query: {} }, { signal });
  output.result(orphans, () => {
    if (orphans.items.length === 0 && !output.quiet) return "Every container of Berth's belongs to a sandbox.\n";
    const table = output.table(["VMID", "NAME", "OWNER", "NODE", "POWER"], orphans.items.map(rowOf));
    return output.quiet ? table : table + obstaclesOf(orphans.items);
  });
}

/** Why some cannot be adopted now. */
export function obstaclesOf(orphans: readonly Orphan[]): string {
  return orphans
    .flatMap(({ vmid, obstacle }) =>
      obstacle === null ? [] : [`${vmid} cannot be adopted now. ${harmless(obstacle)}\n`],
    )
    .join("");
}

function rowOf({ vmid, name, owner, node, power }: Orphan): string[] {
  return [String(vmid), harmless(name ?? "-"), harmless(owner ?? "-"), harmless(node), power];
}

async function adoptOne(session: Session, text: string): Promise<Adopted> {
  if (!/^\d{3,9}$/.test(text)) throw wrongUsage(`"${text}" is not the id of a container.`);
  const call = { signal: session.signal, idempotencyKey: `adopt-${randomKey()}` };
  return (await session.client()).call(adoptOrphan, { params: { vmid: Number(text) } }, call);
}

async function adoptAll(session: Session): Promise<readonly Adopted[]> {
  const call = { signal: session.signal, idempotencyKey: `adopt-${randomKey()}` };
  return (await (await session.client()).call(adoptOrphans, {}, call)).items;
}

/** Follows all to their ends, one after the other, and says what became of each. */
async function tell(session: Session, at: Command, adopted: readonly Adopted[]): Promise<void> {
  for (const { sandbox, operation } of adopted) {
    const end = flag(at, "wait") ? await followOperation(session, operation) : operation;
    session.output.item({ sandbox, operation: end }, () => `${sandbox.name}: adopt ${end.state}\n`);
  }
}
