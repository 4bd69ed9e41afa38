import type { Clock } from "@berth/base";
import type { SyncStatus } from "@berth/protocol";
import type { FastifyBaseLogger } from "fastify";
import type { Kysely } from "kysely";
import type { AgentRegistry } from "../agents/registry.ts";
import type { EventLog } from "../events/log.ts";
import type { WorkspaceConnections } from "../files/workspace-calls.ts";
import { OperationJournal } from "../operations/journal.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { Sandboxes } from "../sandboxes/repository.ts";
import type { FillProgress } from "../sandboxes/steps/dependencies.ts";
import type { AwaitReady } from "../sleep/waking.ts";
import type { SandboxSsh } from "../ssh/sandbox-ssh.ts";
import type { Database } from "../store/tables.ts";
import { pruneBackups } from "./backup-files.ts";
import { fillFromFolder } from "./fill.ts";
import { Followers } from "./followers.ts";
import { HostFolders } from "./host-folders.ts";
import { WorkspaceRows } from "./repository.ts";
import { statusOf } from "./status.ts";
import { SyncRunner } from "./sync-runner.ts";
import { SyncService } from "./sync-service.ts";

export interface WorkspaceModuleDependencies {
  readonly db: Kysely<Database>;
  readonly events: EventLog;
  readonly ssh: SandboxSsh;
  readonly registry: AgentRegistry;
  /** The calls of agents about workspaces, of which each sandbox has a bounded number. */
  readonly connections: WorkspaceConnections;
  readonly sandboxes: Sandboxes;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
  readonly dataDir: string;
  /** Below which folders of the host workspaces may be synced. */
  readonly folders: readonly string[];
  /** Says that a sandbox is used, until the answer is called. */
  hold(sandboxId: string): () => void;
  /** Wakes a sandbox that sleeps. */
  readonly awaitReady: AwaitReady;
}

/** All that keeps workspaces and the host's folders in accord, put together. */
export interface WorkspaceModule {
  readonly rows: WorkspaceRows;
  readonly service: SyncService;
  readonly runner: SyncRunner;
  readonly folders: HostFolders;
  readonly followers: Followers;
  status(row: SandboxRow): Promise<SyncStatus>;
  /** What the row of a sandbox has that is to be made from a folder. Throws where it may not be. */
  wish(path: string): Promise<{ workspace_filled: false }>;
  /** Puts into a new workspace what it is made from. Rejects with a `StepFailure`, or with the signal's reason. */
  fill(row: SandboxRow, progress: FillProgress): Promise<void>;
  /** Forgets what is kept beside the database of a sandbox that is no more, but for the host's backups. Never rejects. */
  gone(row: SandboxRow): Promise<void>;
  /** Forgets old syncs, and the host's backups of sandboxes that are gone; answers how many. */
  prune(): Promise<number>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** How long it is remembered what a sync did, in days. */
const keepRunsDays = 14;

/** Puts the parts together; nothing runs before `start`. */
export function makeWorkspaceModule(deps: WorkspaceModuleDependencies): WorkspaceModule {
  const { db, events, clock, dataDir, sandboxes } = deps;
  const rows = new WorkspaceRows(db);
  const journal = new OperationJournal({ db, events, clock });
  const folders = new HostFolders({ roots: deps.folders, dataDir });
  const runner = new SyncRunner({ dataDir, ssh: deps.ssh, folders, clock });
  const service = new SyncService({ ...deps, rows, runner, folders, journal });
  const status = (row: SandboxRow) => statusOf(rows, row);
  const followers = new Followers({ ...deps, rows, runner, status });
  return {
    ...{ rows, service, runner, folders, followers, status },
    wish: async (path) => {
      await folders.allowed(path);
      return { workspace_filled: false };
    },
    fill: (row, progress) => fillFromFolder({ db, rows, runner }, row, progress),
    gone: async ({ id: sandboxId }) => {
      try {
        await followers.unfollow(sandboxId);
        await deps.ssh.forget(sandboxId);
        await runner.forget(sandboxId);
      } catch (error) {
        deps.log.warn({ sandboxId, err: error }, "what a workspace has left could not be removed");
      }
    },
    prune: async () => {
      const left = await pruneBackups(dataDir, async (sandboxId) => (await sandboxes.find(sandboxId)) !== undefined);
      return left + (await rows.prune(keepRunsDays, clock.now()));
    },
    start: async () => {
      await runner.start();
      await service.resume();
      await followers.resume();
    },
    stop: async () => {
      await followers.stop();
      await service.stop();
    },
  };
}
