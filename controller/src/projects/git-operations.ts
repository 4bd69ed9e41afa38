import type { Clock } from "@berth/base";
import {
  BerthError,
  type Failure,
  type gitPush,
  type gitWorktree,
  type Operation,
  type RouteInput,
} from "@berth/protocol";
import type { FastifyBaseLogger } from "fastify";
import type { Kysely } from "kysely";
import type { UnitOfWork } from "../http/context.ts";
import { type GitOperationKind, gitOperationKinds, isGitOperation } from "../operations/beside.ts";
import { Course } from "../operations/course.ts";
import type { OperationJournal } from "../operations/journal.ts";
import { newOperation, type OperationRow, presentOperation } from "../operations/record.ts";
import { Cancelled, RunningOperations } from "../operations/running.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { Database } from "../store/tables.ts";
import type { GitProjects } from "./service.ts";

/** What somebody wants of git, as it is kept for a controller that is started anew. */
export type GitWish =
  | ({ readonly kind: "git_push" } & RouteInput<typeof gitPush>["body"])
  | { readonly kind: "git_fetch" }
  | ({ readonly kind: "git_worktree" } & RouteInput<typeof gitWorktree>["query"]);

export interface GitOperationsDependencies {
  readonly db: Kysely<Database>;
  readonly git: GitProjects;
  readonly journal: OperationJournal;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
  find(sandboxId: string): Promise<SandboxRow | undefined>;
}

/** Pushes and fetches that people ask for: each is an operation, which a controller that was restarted begins again. */
export class GitOperations {
  readonly #deps: GitOperationsDependencies;
  readonly #running: RunningOperations;

  constructor(dependencies: GitOperationsDependencies) {
    this.#deps = dependencies;
    this.#running = new RunningOperations(dependencies);
  }

  /** Writes it down, and begins it after the commit. Throws `conflict`, `sandbox_not_ready`. */
  async start({ trx, afterCommit }: UnitOfWork, row: SandboxRow, { kind, ...wish }: GitWish): Promise<Operation> {
    this.#deps.git.require(row);
    const operation = await trx
      .insertInto("operations")
      .values({
        ...newOperation(row.owner_id, kind),
        ...{ sandbox_id: row.id, sandbox_name: row.name, request: JSON.stringify(wish) },
      })
      // The index of the one that may be under way.
      .onConflict((conflict) => conflict.doNothing())
      .returningAll()
      .executeTakeFirst();
    if (!operation) {
      throw new BerthError("conflict", `Git works for "${row.name}" already.`, {
        hint: "Wait for its end, or cancel it.",
      });
    }
    afterCommit(() => this.#begin(operation, kind));
    return presentOperation(operation);
  }

  /** Gives it up. Its operation ends when git has. */
  async cancel(work: UnitOfWork, operation: OperationRow): Promise<void> {
    this.#running.cancel(work, operation);
  }

  /** Goes on with what a controller that is gone has left. A push that was made already is found to be up to date. */
  async resume(): Promise<void> {
    const open = await this.#deps.db
      .selectFrom("operations")
      .selectAll()
      .where("kind", "in", gitOperationKinds)
      .where("state", "in", ["queued", "running"])
      .execute();
    for (const operation of open) if (isGitOperation(operation.kind)) this.#begin(operation, operation.kind);
  }

  /** Ends what runs; the operations stay open, for the next controller. */
  stop(): Promise<void> {
    return this.#running.stop();
  }

  #begin(operation: OperationRow, kind: GitOperationKind): void {
    this.#running.begin(operation, (signal) => this.#perform(operation, kind, signal));
  }

  async #perform(operation: OperationRow, kind: GitOperationKind, signal: AbortSignal): Promise<void> {
    const { journal, log, find } = this.#deps;
    const row = operation.sandbox_id === null ? undefined : await find(operation.sandbox_id);
    if (!row) return journal.fail(operation, undefined, { code: "not_found", message: "The sandbox is gone." });
    const course = new Course(this.#deps, operation);
    try {
      const result = await this.#work(row, kind, operation.request ?? {}, { course, signal });
      await course.written();
      await journal.succeed(operation, { ...result });
    } catch (error) {
      await course.written();
      if (signal.reason instanceof Cancelled) return journal.cancel(operation);
      if (signal.aborted) return;
      const failure = failureOf(error);
      if (failure.code === "internal")
        log.error({ sandboxId: row.id, operationId: operation.id, err: error }, "git failed");
      await journal.fail(operation, undefined, failure);
    }
  }

  #work(
    row: SandboxRow,
    kind: GitOperationKind,
    request: Readonly<Record<string, unknown>>,
    by: { course: Course; signal: AbortSignal },
  ): Promise<object> {
    const { git } = this.#deps;
    if (kind === "git_fetch") return git.fetch(row, by);
    if (kind === "git_worktree") return git.worktree(row, request.files === true, by);
    const { remoteBranch, force } = request;
    return git.push(
      row,
      { ...(typeof remoteBranch === "string" ? { remoteBranch } : {}), ...(force === true ? { force } : {}) },
      by,
    );
  }
}

/** What an operation says of why it failed. */
function failureOf(error: unknown): Failure {
  if (!(error instanceof BerthError)) {
    return { code: "internal", message: "Something went wrong within Berth.", hint: "The controller's log says what." };
  }
  const { code, message, hint } = error;
  return { code, message, ...(hint === undefined ? {} : { hint }) };
}
