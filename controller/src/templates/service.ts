import type { Clock } from "@berth/base";
import { BerthError, newId, type Operation, type TemplateWish } from "@berth/protocol";
import { type Kysely, sql } from "kysely";
import type { UnitOfWork } from "../http/context.ts";
import { newOperation, type OperationRow, presentOperation } from "../operations/record.ts";
import type { Database } from "../store/tables.ts";

export interface TemplateServiceDependencies {
  clock: Clock;
  /** Looks at a template soon. */
  wake(templateId: string): void;
  /** Ends the step that runs on a template. */
  interrupt(templateId: string): void;
}

/** What people want of templates; the work itself is the builder's. */
export class TemplateService {
  readonly #deps: TemplateServiceDependencies;

  constructor(dependencies: TemplateServiceDependencies) {
    this.#deps = dependencies;
  }

  /** Wants a template built. Throws `conflict` while one is. */
  async build({ trx, afterCommit }: UnitOfWork, ownerId: string, wish: TemplateWish): Promise<Operation> {
    const operation = await trx
      .insertInto("operations")
      .values(newOperation(ownerId, "template_build"))
      // The index of the one build that may be under way.
      .onConflict((conflict) => conflict.doNothing())
      .returningAll()
      .executeTakeFirst();
    if (!operation) {
      throw new BerthError("conflict", "A template is being built already.", {
        hint: "Wait for its end, or cancel it.",
      });
    }
    const now = new Date(this.#deps.clock.now());
    const { id } = await trx
      .insertInto("templates")
      .values({
        id: newId("template"),
        owner_id: ownerId,
        state: "building",
        state_since: now,
        operation_id: operation.id,
        wanted: JSON.stringify(wish),
        look_at: now,
      })
      .returning("id")
      .executeTakeFirstOrThrow();
    await trx
      .insertInto("audit")
      .values({ user_id: ownerId, action: "template.build", subject: id, detail: JSON.stringify(wish) })
      .execute();
    afterCommit(() => this.#deps.wake(id));
    return presentOperation(operation);
  }

  /**
   * Has a template that was built removed; the builder does it, as with what a failed build leaves. `current`: the ids of
   * those that sandboxes are cloned from now. Throws `not_found`, and `conflict` for one of these, or while sandboxes
   * share its disk.
   */
  async remove(
    { trx, afterCommit }: UnitOfWork,
    userId: string,
    { vmid, current }: { vmid: number; current: ReadonlySet<number> },
  ): Promise<void> {
    const ready = trx.selectFrom("templates").select("id").where("vmid", "=", vmid).where("state", "=", "ready");
    const template = await ready.forUpdate().executeTakeFirst();
    if (!template) throw new BerthError("not_found", `Berth has built no template ${vmid}.`);
    if (current.has(vmid)) {
      throw new BerthError("conflict", `New sandboxes are cloned from the template ${vmid}.`, {
        hint: "Build another one first.",
      });
    }
    const { names, count } = await sharersOf(trx, template.id);
    if (count > 0) {
      const more = count > names.length ? ` and ${count - names.length} more` : "";
      throw new BerthError(
        "conflict",
        `Sandboxes share the disk of the template ${vmid}: ${names.join(", ")}${more}.`,
        {
          hint: "Delete these sandboxes first.",
        },
      );
    }
    const now = new Date(this.#deps.clock.now());
    await trx
      .updateTable("templates")
      .set({ state: "discarding", state_since: now, error: null, attempts: 0, look_at: now })
      .where("id", "=", template.id)
      .execute();
    await trx
      .insertInto("audit")
      .values({ user_id: userId, action: "template.delete", subject: template.id, detail: JSON.stringify({ vmid }) })
      .execute();
    afterCommit(() => this.#deps.wake(template.id));
  }

  /** Gives a build up. Its operation ends as cancelled when what it has made is gone. */
  async cancel({ trx, afterCommit }: UnitOfWork, operation: OperationRow): Promise<void> {
    const row = await trx
      .updateTable("templates")
      .set({
        state: "discarding",
        state_since: new Date(this.#deps.clock.now()),
        attempts: 0,
        look_at: sql<Date>`now()`,
      })
      .where("operation_id", "=", operation.id)
      .where("state", "=", "building")
      .returning("id")
      .executeTakeFirst();
    // One that has failed is on its way out already.
    if (!row) return;
    afterCommit(() => {
      this.#deps.interrupt(row.id);
      this.#deps.wake(row.id);
    });
  }
}

/** As many sharers are named. */
const namedSharers = 5;

/** The sandboxes that may be linked clones of a template: all but those that were to be whole copies from the beginning. */
async function sharersOf(db: Kysely<Database>, templateId: string): Promise<{ names: string[]; count: number }> {
  const rows = await db
    .selectFrom("sandboxes")
    .select("name")
    .where("template_id", "=", templateId)
    .where(sql<boolean>`coalesce((placement ->> 'full')::boolean, false) = false`)
    .orderBy("name")
    .execute();
  return { names: rows.slice(0, namedSharers).map(({ name }) => name), count: rows.length };
}
