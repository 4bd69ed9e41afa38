import { join } from "node:path";
import type { Clock } from "@berth/base";
import type { PushPolicy } from "@berth/protocol";
import type { FastifyBaseLogger } from "fastify";
import type { Kysely } from "kysely";
import type { AgentRegistry } from "../agents/registry.ts";
import type { EventLog } from "../events/log.ts";
import { OperationJournal } from "../operations/journal.ts";
import type { Workspaces } from "../sandboxes/module.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { Settings } from "../settings/settings.ts";
import type { SandboxSsh } from "../ssh/sandbox-ssh.ts";
import type { Database } from "../store/tables.ts";
import { AskedAgents } from "./asked-agents.ts";
import { DestroyGuard } from "./destroy-guard.ts";
import { sandboxError } from "./failures.ts";
import { Git } from "./git.ts";
import { GitOperations } from "./git-operations.ts";
import { KeptWorks } from "./kept-work.ts";
import { Mirrors } from "./mirrors.ts";
import { ProjectPlaces } from "./place.ts";
import { RemoteAccesses } from "./remote-access.ts";
import { Projects } from "./repository.ts";
import { SandboxRepository } from "./sandbox-repository.ts";
import { SandboxRemotes } from "./served/sandbox-remotes.ts";
import { GitProjects } from "./service.ts";
import { GitWorkspaces } from "./workspace.ts";

export interface ProjectModuleDependencies {
  readonly db: Kysely<Database>;
  readonly events: EventLog;
  readonly ssh: Pick<SandboxSsh, "openSsh">;
  readonly registry: Pick<AgentRegistry, "get">;
  readonly settings: Pick<Settings, "dataDir" | "workspaceRoots" | "git" | "keepWorkDays">;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
  /** A sandbox as it is once it is woken, if it slept; counts as its use. Rejects with a `BerthError`. */
  awake(row: SandboxRow, signal?: AbortSignal): Promise<SandboxRow>;
}

/** All that makes, keeps and saves git projects, put together. */
export interface ProjectModule {
  readonly projects: Projects;
  readonly git: GitProjects;
  readonly operations: GitOperations;
  readonly guard: DestroyGuard;
  readonly kept: KeptWorks;
  readonly workspaces: Workspaces;
  /** The remotes as the gits in sandboxes reach them. */
  readonly remotes: SandboxRemotes;
}

/** Puts the projects' parts together. */
export function makeProjectModule(deps: ProjectModuleDependencies): ProjectModule {
  const { db, events, ssh, registry, settings, clock, log } = deps;
  const { dataDir, workspaceRoots } = settings;
  const roots = { roots: workspaceRoots, dataDir };
  const folder = join(dataDir, "git");
  const now = () => clock.now();
  const git = new Git({ folder, credentialHelper: settings.git.credentialHelper });
  const projects = new Projects(db);
  const places = new ProjectPlaces(dataDir);
  const { sshKey, sshAgentSocket } = settings.git;
  const accesses = new RemoteAccesses({ folder, roots, sshKey, sshAgentSocket });
  const mirrors = new Mirrors({ git, places, projects, accesses, now });
  const repository = async (row: SandboxRow, signal?: AbortSignal) =>
    new SandboxRepository(
      await ssh.openSsh(row, signal).catch((error: unknown) => {
        throw sandboxError(error, row.name);
      }),
    );
  const allow = async ({ id }: SandboxRow, push: PushPolicy) => {
    await db.updateTable("sandboxes").set({ git_push: push }).where("id", "=", id).execute();
  };
  const awakened = async (row: SandboxRow, signal?: AbortSignal) => repository(await deps.awake(row, signal), signal);
  const service = new GitProjects({ projects, mirrors, places, roots, log, now, allow, repository: awakened });
  const journal = new OperationJournal({ db, events, clock });
  const kept = new KeptWorks({ db, dataDir, days: settings.keepWorkDays, now });
  const clones = new GitWorkspaces({ db, projects, mirrors, roots, repository });
  const agents = new AskedAgents(registry);
  const told = (id: string, signal: AbortSignal) => agents.unsaved(id, signal);
  const guard = new DestroyGuard({ log, repository, awake: deps.awake, told });
  const find = (id: string) => db.selectFrom("sandboxes").selectAll().where("id", "=", id).executeTakeFirst();
  return {
    projects,
    kept,
    remotes: new SandboxRemotes({ git, folder: join(folder, "views"), mirrors, places, log, find }),
    git: service,
    operations: new GitOperations({ db, git: service, journal, clock, log, find }),
    guard,
    workspaces: {
      wish: ({ trx }, ownerId, workspace) => clones.wish(trx, ownerId, workspace),
      fill: (sandboxes, row, progress) => clones.fill(sandboxes, row, progress),
      keep: async (row, signal) => {
        const project = row.project_id === null ? undefined : await projects.find(row.project_id);
        return kept.keep(row, project?.url ?? null, await repository(row, signal), signal);
      },
      lastLook: (row, thoroughly) => guard.lastLook(row, thoroughly),
      gone: (row) => service.gone(row),
    },
  };
}
