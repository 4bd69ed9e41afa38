import type { Clock } from "@berth/base";
import { BerthError, newId, type Operation, type TemplateWish } from "@berth/protocol";
import { sql } from "kysely";
import type { UnitOfWork } from "../http/context.ts";
import { newOperation, type OperationRow, presentOperation } from "../operations/record.ts";

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
