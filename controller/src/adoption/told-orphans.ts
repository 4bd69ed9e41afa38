import type { Orphan, OrphanEvent } from "@berth/protocol";
import type { FastifyBaseLogger } from "fastify";
import { type Kysely, sql } from "kysely";
import type { EventLog } from "../events/log.ts";
import type { UnitOfWork } from "../http/context.ts";
import { poolOwnerId } from "../pool/owner.ts";
import type { Database } from "../store/tables.ts";
import type { OrphanLook } from "./orphans.ts";

export interface ToldOrphansDependencies {
  readonly events: Pick<EventLog, "append">;
  readonly log: FastifyBaseLogger;
}

/** Any number of our own that no other advisory lock has: who tells of orphans, and who adopts them, take turns. */
const lockKey = 0x62_6f_72_70;

/** The orphans that people were told of: each is told of once when it appears, and once when it is one no longer. */
export class ToldOrphans {
  readonly #deps: ToldOrphansDependencies;

  constructor(dependencies: ToldOrphansDependencies) {
    this.#deps = dependencies;
  }

  /** Tells how what was seen differs from what was told. What could not be read counts as what it was. */
  async note(work: UnitOfWork, { found, unreadable }: OrphanLook): Promise<void> {
    const { trx } = work;
    await this.#turn(work);
    // What was adopted while the look was under way.
    const known = new Set((await trx.selectFrom("sandboxes").select("id").execute()).map(({ id }) => id));
    const seen = new Map(
      found.filter(({ owner }) => !known.has(owner.sandboxId)).map(({ orphan }) => [orphan.vmid, orphan]),
    );
    const told = new Map((await this.told(trx)).map((orphan) => [orphan.vmid, orphan]));
    for (const orphan of told.values()) {
      const other = seen.get(orphan.vmid);
      const isGone = other ? other.sandboxId !== orphan.sandboxId : !unreadable.includes(orphan.vmid);
      if (isGone) await this.#tellGone(work, orphan);
    }
    for (const orphan of seen.values()) {
      if (told.get(orphan.vmid)?.sandboxId === orphan.sandboxId) await this.#keep(trx, orphan);
      else await this.#tellNew(work, orphan);
    }
  }

  /** Tells that a container has a sandbox again, if it was told that it had none. */
  async adopted(work: UnitOfWork, { vmid }: Pick<Orphan, "vmid">): Promise<void> {
    await this.#turn(work);
    const orphan = (await this.told(work.trx)).find((one) => one.vmid === vmid);
    if (orphan) await this.#tellGone(work, orphan);
  }

  /** Those that were told of, by their ids. */
  async told(db: Kysely<Database>): Promise<readonly Orphan[]> {
    const rows = await db.selectFrom("orphans").select("orphan").orderBy("vmid").execute();
    return rows.map(({ orphan }) => orphan);
  }

  async #tellNew(work: UnitOfWork, orphan: Orphan): Promise<void> {
    await this.#keep(work.trx, orphan);
    await this.#tellAll(work.trx, { state: "appeared", orphan });
    const { vmid, node, sandboxId, name } = orphan;
    work.afterCommit(() =>
      this.#deps.log.warn({ vmid, node, sandboxId, name }, "a container of this fleet's belongs to no sandbox"),
    );
  }

  async #tellGone({ trx }: UnitOfWork, orphan: Orphan): Promise<void> {
    await trx.deleteFrom("orphans").where("vmid", "=", orphan.vmid).execute();
    await this.#tellAll(trx, { state: "vanished", orphan });
  }

  async #keep(trx: Kysely<Database>, orphan: Orphan): Promise<void> {
    const values = { vmid: orphan.vmid, orphan: JSON.stringify(orphan) };
    await trx
      .insertInto("orphans")
      .values(values)
      .onConflict((conflict) => conflict.column("vmid").doUpdateSet(values))
      .execute();
  }

  /** Everybody may adopt, so everybody is told. */
  async #tellAll(trx: Kysely<Database>, data: OrphanEvent): Promise<void> {
    const users = await trx.selectFrom("users").select("id").where("id", "<>", poolOwnerId).execute();
    for (const { id } of users) await this.#deps.events.append(trx, { ownerId: id, type: "orphan", data });
  }

  async #turn({ trx }: UnitOfWork): Promise<void> {
    await sql`select pg_advisory_xact_lock(${lockKey})`.execute(trx);
  }
}
