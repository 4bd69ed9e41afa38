import type { Clock } from "@berth/base";
import type { Kysely } from "kysely";
import { type FreeIds, maxIdCandidates } from "../cluster/free-ids.ts";
import type { Database } from "../store/tables.ts";
import { inTransaction } from "../store/transaction.ts";
import { StepFailure } from "./failures.ts";
import type { SandboxRow } from "./record.ts";
import type { Sandboxes } from "./repository.ts";

export interface ClaimsDependencies {
  db: Kysely<Database>;
  freeIds: FreeIds;
  sandboxes: Sandboxes;
  clock: Clock;
}

/**
 * Which sandbox asks Proxmox for which vmid. Proxmox reserves an id only with the clone call itself, so a claim is an
 * intention: written before the call, and kept until the id is known to be free of what the call may have made.
 */
export class Claims {
  readonly #db: Kysely<Database>;
  readonly #freeIds: FreeIds;
  readonly #sandboxes: Sandboxes;
  readonly #clock: Clock;

  constructor(dependencies: ClaimsDependencies) {
    this.#db = dependencies.db;
    this.#freeIds = dependencies.freeIds;
    this.#sandboxes = dependencies.sandboxes;
    this.#clock = dependencies.clock;
  }

  /** Gives the sandbox the lowest id above the template's that Proxmox calls free and nobody here has claimed. */
  async take(row: SandboxRow, node: string, templateVmid: number): Promise<void> {
    const first = templateVmid + 1;
    const found = await this.#freeIds.take(first, (vmid) =>
      inTransaction(this.#db, async (work) => {
        // By the clock that the plan measures its age with.
        const claim = { vmid, sandbox_id: row.id, node, created_at: new Date(this.#clock.now()) };
        await work.trx
          .insertInto("claims")
          .values({ ...claim, state: "held" })
          .execute();
        await this.#sandboxes.changeIn(work, row, { vmid, node });
      }),
    );
    if (found) return;
    throw new StepFailure(
      {
        code: "no_free_vmid",
        message: `No id from ${first} to ${first + maxIdCandidates - 1} is free.`,
        hint: "Remove containers that are not needed.",
      },
      { retry: false },
    );
  }

  /** Gives the id up; whatever of ours turns up there later is removed. */
  async abandon(row: SandboxRow): Promise<void> {
    await inTransaction(this.#db, async (work) => {
      await work.trx.updateTable("claims").set({ state: "abandoned" }).where("sandbox_id", "=", row.id).execute();
      await this.#sandboxes.changeIn(work, row, { vmid: null, node: null });
    });
  }

  /** Those that are left somewhere among them. */
  abandoned(sandboxId: string) {
    return this.#db
      .selectFrom("claims")
      .selectAll()
      .where("sandbox_id", "=", sandboxId)
      .where("state", "in", ["abandoned", "left"])
      .execute();
  }

  /** What an abandoned id left somewhere is nothing to wait for: it is looked at again by and by. */
  async leave(vmid: number): Promise<void> {
    await this.#db.updateTable("claims").set({ state: "left" }).where("vmid", "=", vmid).execute();
  }

  /** The ids of which something may be left, of all sandboxes. */
  left() {
    return this.#db.selectFrom("claims").selectAll().where("state", "=", "left").execute();
  }

  /** All ids for which a clone call was made whose end was not seen. */
  asked(sandboxId: string) {
    return this.#db
      .selectFrom("claims")
      .selectAll()
      .where("sandbox_id", "=", sandboxId)
      .where("asked", "=", true)
      .execute();
  }

  /** The claim on the id that a sandbox holds. */
  held(sandboxId: string) {
    return this.#db
      .selectFrom("claims")
      .select(["created_at", "asked"])
      .where("sandbox_id", "=", sandboxId)
      .where("state", "=", "held")
      .executeTakeFirst();
  }

  /** Notes whether a clone call for the id may be under way. */
  async noteAsked(sandboxId: string, asked: boolean): Promise<void> {
    await this.#db
      .updateTable("claims")
      .set({ asked })
      .where("sandbox_id", "=", sandboxId)
      .where("state", "=", "held")
      .execute();
  }

  async release(vmid: number): Promise<void> {
    await this.#db.deleteFrom("claims").where("vmid", "=", vmid).execute();
  }
}
