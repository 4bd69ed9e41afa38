import type { Clock } from "@berth/base";
import type { Failure, StepName } from "@berth/protocol";
import type { FastifyBaseLogger } from "fastify";
import type { Kysely } from "kysely";
import type { OperationJournal } from "../operations/journal.ts";
import type { OperationRow } from "../operations/record.ts";
import { stepOf } from "../sandboxes/tasks.ts";
import type { Database } from "../store/tables.ts";
import { inTransaction } from "../store/transaction.ts";
import type { TemplateFinder } from "./finder.ts";
import { containerOf, runningStep, type TemplateRow } from "./record.ts";
import type { Templates } from "./repository.ts";

export interface BuildEndingsDependencies {
  db: Kysely<Database>;
  templates: Templates;
  journal: OperationJournal;
  finder: TemplateFinder;
  clock: Clock;
  log: FastifyBaseLogger;
}

/** How often it is tried to take away what could not be taken away, in milliseconds. */
const leftoverMs = 10 * 60_000;

/** How a build ends: as a template, or with nothing left of it. */
export class BuildEndings {
  readonly #deps: BuildEndingsDependencies;

  constructor(dependencies: BuildEndingsDependencies) {
    this.#deps = dependencies;
  }

  /** The template is made: from now on sandboxes are cloned from it. */
  async adopt(row: TemplateRow, operation: OperationRow): Promise<undefined> {
    const { db, templates, journal, finder, log } = this.#deps;
    await journal.log(operation, "adopt", "berth", `new sandboxes are cloned from the template ${row.vmid}`);
    const ready = { state: "ready" as const, state_since: this.#now(), look_at: null, task: null, attempts: 0 };
    // Together: nobody would look at a template again whose operation had not ended.
    await inTransaction(db, async ({ trx }) => {
      await templates.change(row, ready, trx);
      await journal.succeedIn(trx, operation);
    });
    finder.forget();
    log.info({ templateId: row.id, vmid: row.vmid, version: row.version }, "a template is built");
  }

  /** The build has failed; its operation ends when what it has made is gone. */
  async giveUp(
    row: TemplateRow,
    operation: OperationRow | undefined,
    name: StepName | undefined,
    failure: Failure,
  ): Promise<"go on"> {
    const step = name ?? runningStep(operation)?.name;
    if (operation && step) {
      const taking = row.vmid === null ? "" : ` Taking ${containerOf(row)} away again.`;
      await this.#deps.journal.step(operation, stepOf(step), `${failure.message}${taking}`);
    }
    await this.discard(row, failure);
    return "go on";
  }

  /** What the build has made is to be taken away; without a failure it was cancelled. */
  discard(row: TemplateRow, failure: Failure | null): Promise<void> {
    return this.#deps.templates.change(row, {
      state: "discarding",
      state_since: this.#now(),
      error: failure && JSON.stringify(failure),
      attempts: 0,
      look_at: this.#now(),
    });
  }

  /** Nothing of the build is left: its operation ends, and then its row goes. */
  async forget(row: TemplateRow, operation: OperationRow | undefined): Promise<undefined> {
    if (operation) await this.#end(operation, row.error);
    await this.#deps.templates.remove(row.id);
  }

  /** What the build has made could not be taken away: its operation ends all the same, and it is tried now and then. */
  async leave(row: TemplateRow, operation: OperationRow | undefined, why: Failure): Promise<number> {
    if (operation) {
      const cause = row.error ?? { code: "cancelled", message: "The build was cancelled." };
      await this.#deps.journal.fail(operation, undefined, {
        code: cause.code,
        message: `${cause.message} And ${containerOf(row)} could not be taken away again: ${why.message}`,
        hint: [cause.hint, why.hint].filter((hint) => hint !== undefined).join(" "),
      });
    }
    await this.#deps.templates.change(row, {
      attempts: 0,
      state_since: this.#now(),
      look_at: new Date(this.#deps.clock.now() + leftoverMs),
    });
    return leftoverMs;
  }

  async #end(operation: OperationRow, failure: Failure | null): Promise<void> {
    if (failure) await this.#deps.journal.fail(operation, undefined, failure);
    else await this.#deps.journal.cancel(operation);
  }

  #now(): Date {
    return new Date(this.#deps.clock.now());
  }
}
