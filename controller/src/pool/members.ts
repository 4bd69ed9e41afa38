import { newId, type SandboxSize } from "@berth/protocol";
import { type Insertable, type Kysely, type Selectable, sql } from "kysely";
import type { UnitOfWork } from "../http/context.ts";
import type { OperationJournal } from "../operations/journal.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { Sandboxes } from "../sandboxes/repository.ts";
import type { Database, SandboxesTable } from "../store/tables.ts";
import { poolOwnerId } from "./owner.ts";

/** A template, as the rows of its clones name it. */
export type TemplateName = Pick<Selectable<SandboxesTable>, "template_vmid" | "template_id">;

/** What a member has to fit: only what a running container can be given. */
export interface Fitting {
  readonly size: SandboxSize;
  readonly node: string | undefined;
  readonly vlan: number | undefined;
}

export interface PoolMembersDependencies {
  readonly sandboxes: Sandboxes;
  readonly journal: OperationJournal;
  /** Whether the sandbox's agent is connected at this moment. */
  isConnected(sandboxId: string): boolean;
}

/** Less than this is not asked of a container that runs with more: what it uses cannot be taken from it. */
const safeMemoryMiB = 512;

/** The sandboxes that wait for somebody to take them. */
export class PoolMembers {
  readonly #deps: PoolMembersDependencies;
  /** What sandboxes are cloned from now; empty: not known yet, and none is given out. */
  templates: readonly TemplateName[] = [];
  /** Whether a sandbox's agent is about to be brought to this controller's version, and so to start anew. */
  isUpdating: (sandboxId: string) => boolean = () => false;
  /** A transaction that took one has committed. */
  onTaken: () => void = () => {};

  constructor(dependencies: PoolMembersDependencies) {
    this.#deps = dependencies;
  }

  /**
   * Gives a member that fits what somebody wants, and has it handed over; undefined: there is none. It is theirs with
   * the caller's transaction: of two at once each gets another one. Rejects as an insert would if the name is taken.
   */
  async take(
    work: UnitOfWork,
    fitting: Fitting,
    values: Omit<Insertable<SandboxesTable>, "id" | "desired" | "state">,
  ): Promise<SandboxRow | undefined> {
    const row = await this.#pick(work, fitting);
    if (!row) return undefined;
    const { cores, memoryMiB, diskGiB } = fitting.size;
    const differs = row.cores !== cores || row.memory_mib !== memoryMiB || row.disk_gib !== diskGiB;
    await this.#deps.sandboxes.changeIn(work, row, {
      ...values,
      ...{ state: "provisioning", handover_wanted: true, change_wanted: differs, error: null, attempts: 0 },
    });
    work.afterCommit(() => this.onTaken());
    return row;
  }

  /** Whether it is a clone of what sandboxes are cloned from now. */
  isOfTemplate({ template_vmid, template_id }: TemplateName): boolean {
    return this.templates.some((one) => one.template_vmid === template_vmid && one.template_id === template_id);
  }

  /** Whether a member that is ready can be taken. */
  isReady(row: SandboxRow): boolean {
    return this.isOfTemplate(row) && this.#deps.isConnected(row.id) && !this.isUpdating(row.id);
  }

  /** One that nobody has, and else one whose row is held for a moment, such as to write down that it was looked at. */
  async #pick(work: UnitOfWork, fitting: Fitting): Promise<SandboxRow | undefined> {
    if (this.templates.length === 0 || fitting.vlan !== undefined) return undefined;
    return (await this.#pickAmong(work, fitting, "free")) ?? (await this.#pickAmong(work, fitting, "all"));
  }

  async #pickAmong(
    { trx }: UnitOfWork,
    { size, node }: Fitting,
    rows: "free" | "all",
  ): Promise<SandboxRow | undefined> {
    const current = this.templates.map((template) => template.template_vmid);
    const passed: string[] = [];
    for (;;) {
      const row = await trx
        .selectFrom("sandboxes")
        .selectAll()
        .where("owner_id", "=", poolOwnerId)
        .where("desired", "=", "running")
        .where("state", "=", "ready")
        .where("template_vmid", "in", current)
        .where("disk_gib", "<=", size.diskGiB)
        .$if(size.memoryMiB < safeMemoryMiB, (all) => all.where("memory_mib", "<=", size.memoryMiB))
        .$if(node !== undefined, (all) => all.where("node", "=", node ?? null))
        .$if(passed.length > 0, (all) => all.where("id", "not in", passed))
        .orderBy("created_at")
        .limit(1)
        .forUpdate()
        .$if(rows === "free", (all) => all.skipLocked())
        .executeTakeFirst();
      if (!row) return undefined;
      // A look at it does no harm; and while its row is held no work on it begins.
      if (this.isReady(row) && !(await this.#deps.journal.current(row.id, trx))) return row;
      passed.push(row.id);
    }
  }
}

/** The row of a new member. */
export function newMember(size: SandboxSize, now: Date): Insertable<SandboxesTable> {
  const id = newId("sandbox");
  return {
    ...{ id, owner_id: poolOwnerId, name: `pool-${id.slice(4)}` },
    ...{ cores: size.cores, memory_mib: size.memoryMiB, disk_gib: size.diskGiB },
    ...{ workspace: JSON.stringify({ type: "empty" }), env: "{}" },
    ...{ desired: "running", state: "provisioning", look_at: now, created_at: now },
  };
}

/** Whether somebody waits for a sandbox of their own that is being made, or has only got it since so long ago. */
export async function othersWait(db: Kysely<Database>, since: Date): Promise<boolean> {
  const { rows } = await sql<{ wait: boolean }>`
    select exists (select from operations where kind in ('create', 'fork') and owner_id <> ${poolOwnerId}
      and (state in ('queued', 'running') or finished_at > ${since})) as wait`.execute(db);
  return rows[0]?.wait ?? false;
}
