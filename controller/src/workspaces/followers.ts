import type { Clock } from "@berth/base";
import type { Failure, SyncStatus } from "@berth/protocol";
import { type ChangeSource, watchTree } from "@berth/sync";
import type { FastifyBaseLogger } from "fastify";
import type { Kysely } from "kysely";
import type { AgentRegistry } from "../agents/registry.ts";
import type { EventLog } from "../events/log.ts";
import type { WorkspaceConnections } from "../files/workspace-calls.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { Sandboxes } from "../sandboxes/repository.ts";
import type { SandboxSsh } from "../ssh/sandbox-ssh.ts";
import type { ContinuousWish, Database } from "../store/tables.ts";
import { Follower, type FollowerState } from "./follower.ts";
import { watchGuest } from "./guest-changes.ts";
import type { WorkspaceRows } from "./repository.ts";
import type { SyncRunner } from "./sync-runner.ts";

export interface FollowersDependencies {
  readonly db: Kysely<Database>;
  readonly events: EventLog;
  readonly rows: WorkspaceRows;
  readonly sandboxes: Sandboxes;
  readonly runner: SyncRunner;
  readonly ssh: SandboxSsh;
  readonly registry: AgentRegistry;
  readonly connections: WorkspaceConnections;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
  status(row: SandboxRow): Promise<SyncStatus>;
}

/** The followers of all workspaces that are in continuous mode. */
export class Followers {
  readonly #deps: FollowersDependencies;
  readonly #followers = new Map<string, Follower>();
  readonly #told = new Map<string, string>();
  #stopped = false;

  constructor(dependencies: FollowersDependencies) {
    this.#deps = dependencies;
  }

  /** Goes on with what was followed when the last controller ended. */
  async resume(): Promise<void> {
    for (const { sandbox_id, folder, continuous } of await this.#deps.rows.followed()) {
      if (continuous && folder !== null) await this.follow(sandbox_id, { ...continuous, folder });
    }
  }

  /** Follows from now on, in place of what was followed before. */
  async follow(sandboxId: string, wish: ContinuousWish & { folder: string }): Promise<void> {
    await this.unfollow(sandboxId);
    if (this.#stopped) return;
    const { clock, sandboxes, registry } = this.#deps;
    const follower = new Follower(wish, {
      clock,
      sandbox: () => sandboxes.find(sandboxId),
      watch: (row, signal) => this.#watch(row, wish, signal),
      sync: (row, signal) => this.#sync(row, wish, signal),
      isAgentThere: () => registry.isConnected(sandboxId),
      tell: (state, error) => this.#tell(sandboxId, state, error),
    });
    this.#followers.set(sandboxId, follower);
  }

  async unfollow(sandboxId: string): Promise<void> {
    const follower = this.#followers.get(sandboxId);
    this.#followers.delete(sandboxId);
    this.#told.delete(sandboxId);
    await follower?.stop();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#followers.keys()].map((sandboxId) => this.unfollow(sandboxId)));
  }

  async #watch(row: SandboxRow, wish: ContinuousWish & { folder: string }, signal: AbortSignal): Promise<ChangeSource> {
    if (wish.direction === "pull") return watchGuest(this.#deps, row, signal);
    const { source, partial } = await watchTree(wish.folder);
    if (partial) this.#deps.log.warn({ sandboxId: row.id }, "not all folders of a workspace can be watched");
    return source;
  }

  async #sync(row: SandboxRow, wish: ContinuousWish & { folder: string }, signal: AbortSignal) {
    const { db, rows, runner, clock } = this.#deps;
    const report = await runner.run(row, wish, wish.folder, signal);
    const change = { continuous_at: new Date(clock.now()) };
    await rows.noteFollowing(row.id, change);
    if (report.changes.length > 0) {
      await rows.beginRun(db, row.id, row.id, wish);
      await rows.endRun({ id: row.id, request: wish }, report);
    }
    return report;
  }

  /** Writes down how it goes and, where that is news, tells of it. */
  async #tell(sandboxId: string, state: FollowerState, error: Failure | null): Promise<void> {
    const news = JSON.stringify([state === "paused", error?.code]);
    const { rows, sandboxes, events, status } = this.#deps;
    await rows.noteFollowing(sandboxId, { continuous_state: state, continuous_error: error });
    if (this.#told.get(sandboxId) === news) return;
    this.#told.set(sandboxId, news);
    const row = await sandboxes.find(sandboxId);
    if (!row) return;
    const data = { sandboxId, ...(await status(row)) };
    await events.transaction((trx) => events.append(trx, { ownerId: row.owner_id, sandboxId, type: "sync", data }));
  }
}
