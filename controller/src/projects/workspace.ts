import { BerthError, type CommitAuthor, type Workspace } from "@berth/protocol";
import type { Kysely } from "kysely";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { Sandboxes } from "../sandboxes/repository.ts";
import type { FillProgress } from "../sandboxes/steps/dependencies.ts";
import type { Database } from "../store/tables.ts";
import { stepFailure } from "./failures.ts";
import type { Mirrors, ProjectTurn } from "./mirrors.ts";
import { branchPrefix } from "./place.ts";
import { allowedPath, type RepositoryRoots, readRemote } from "./remote-url.ts";
import type { Projects } from "./repository.ts";
import type { SandboxRepository } from "./sandbox-repository.ts";
import { branchOffScript, checkOutScript, prepareScript } from "./sandbox-scripts.ts";
import { giveCommits } from "./transfers.ts";

export interface GitWorkspacesDependencies {
  readonly db: Kysely<Database>;
  readonly projects: Projects;
  readonly mirrors: Mirrors;
  readonly roots: RepositoryRoots;
  repository(row: SandboxRow, signal?: AbortSignal): Promise<SandboxRepository>;
}

const scriptBounds = { maxOutputBytes: 64 * 1024 } as const;
/** How far each part of the filling is in the whole. */
const shares = { fetch: [0, 0.5], give: [0.5, 0.9] } as const;

/** Fills workspaces that are clones of a project. */
export class GitWorkspaces {
  readonly #deps: GitWorkspacesDependencies;

  constructor(dependencies: GitWorkspacesDependencies) {
    this.#deps = dependencies;
  }

  /** What a new sandbox's row has beside its workspace. Throws `invalid_request` or `forbidden` for a bad remote. */
  async wish(trx: Kysely<Database>, ownerId: string, workspace: Workspace) {
    if (workspace.type !== "git") return {};
    const remote = readRemote(workspace.url);
    if (remote.kind === "file") await allowedPath(remote.url, this.#deps.roots);
    const project = await this.#deps.projects.ofUrl(trx, ownerId, remote.url);
    return { project_id: project.id, workspace_filled: false };
  }

  /**
   * Fills the workspace of a sandbox that can be reached. May be repeated after a kill at any line: what was filled stays
   * as its user has left it. Rejects with `StepFailure`, or with the signal's reason.
   */
  async fill(sandboxes: Sandboxes, row: SandboxRow, progress: FillProgress): Promise<void> {
    const { workspace, project_id: projectId } = row;
    if (workspace.type !== "git" || projectId === null) return;
    if (row.source) return this.#branchOff(sandboxes, row, projectId, progress.signal);
    try {
      const bring = await this.#deps.mirrors.turn(projectId, async (turn) => {
        const onProgress = part(progress, shares.fetch);
        progress.onProgress(0, `fetching ${turn.project.url}`);
        const defaultBranch = await turn.fetch({ signal: progress.signal, onProgress });
        const base = await baseOf(turn, workspace.branch, defaultBranch);
        const branch = row.branch ?? (await this.#takeBranch(row, turn));
        await sandboxes.change(row, { branch, base_branch: base ?? null });
        return () => this.#bring(row, turn, { branch, base, defaultBranch, author: workspace.author }, progress);
      });
      // Only reads the mirror: nobody else's turn has to wait for this sandbox.
      await bring();
    } catch (error) {
      progress.signal.throwIfAborted();
      throw stepFailure(error);
    }
  }

  /** A copy of a sandbox has all that the other one had; it goes on in a branch of its own. */
  async #branchOff(sandboxes: Sandboxes, row: SandboxRow, projectId: string, signal: AbortSignal): Promise<void> {
    try {
      const branch =
        row.branch ??
        (await this.#deps.mirrors.turn(projectId, async (turn) => this.#keepBranch(sandboxes, row, turn)));
      const repository = await this.#deps.repository(row, signal);
      await repository.run({ script: branchOffScript, lines: [branch], timeoutMs: 30_000, ...scriptBounds, signal });
    } catch (error) {
      signal.throwIfAborted();
      throw stepFailure(error);
    }
  }

  async #keepBranch(sandboxes: Sandboxes, row: SandboxRow, turn: ProjectTurn): Promise<string> {
    const branch = await this.#takeBranch(row, turn);
    await sandboxes.change(row, { branch });
    return branch;
  }

  async #bring(
    row: SandboxRow,
    { project, mirror }: ProjectTurn,
    wish: {
      branch: string;
      base: string | undefined;
      defaultBranch: string | undefined;
      author: CommitAuthor | undefined;
    },
    progress: FillProgress,
  ): Promise<void> {
    const { signal } = progress;
    const repository = await this.#deps.repository(row, signal);
    const { name, email } = wish.author ?? (await this.#ownAuthor(row));
    const asked = wish.author ? "asked" : "";
    const prepared = { script: prepareScript, lines: [project.url, name, email, asked], timeoutMs: 30_000 };
    await repository.run({ ...prepared, ...scriptBounds, signal });
    await giveCommits(mirror, repository, [], { signal, onProgress: part(progress, shares.give) });
    progress.onProgress(shares.give[1], `checking ${wish.branch} out`);
    const lines = [wish.branch, wish.base ?? "", wish.defaultBranch ?? ""];
    await repository.run({ script: checkOutScript, lines, timeoutMs: 15 * 60_000, ...scriptBounds, signal });
  }

  /** A branch that neither the remote has nor another sandbox. */
  async #takeBranch(row: SandboxRow, { mirror, project }: ProjectTurn): Promise<string> {
    const rows = await this.#deps.db
      .selectFrom("sandboxes")
      .select("branch")
      .where("project_id", "=", project.id)
      .where("branch", "is not", null)
      .execute();
    const taken = new Set(rows.map(({ branch }) => branch));
    for (let number = 1; ; number++) {
      const name = `${branchPrefix}${row.name}${number === 1 ? "" : `-${number}`}`;
      if (taken.has(name) || (await mirror.resolve(`refs/remotes/origin/${name}`))) continue;
      // A worktree that was left because it has work of its own.
      if (await mirror.resolve(`refs/heads/${name}`)) continue;
      return name;
    }
  }

  async #ownAuthor(row: SandboxRow): Promise<CommitAuthor> {
    const query = this.#deps.db.selectFrom("users").select("username").where("id", "=", row.owner_id);
    const { username } = await query.executeTakeFirstOrThrow();
    const name = username.replaceAll(/[\p{C}<>]/gu, "").trim() || "berth";
    return { name, email: `${name.replaceAll(/[^A-Za-z0-9._-]/g, "_")}@berth.invalid` };
  }
}

/** Where the sandbox's branch begins; undefined: the remote is empty. */
async function baseOf(
  { mirror, project }: ProjectTurn,
  wanted: string | undefined,
  defaultBranch: string | undefined,
): Promise<string | undefined> {
  if (wanted === undefined) return defaultBranch;
  if (await mirror.resolve(`refs/remotes/origin/${wanted}`)) return wanted;
  const branches = await mirror.branches();
  const some = branches.slice(0, 10).join(", ");
  throw new BerthError("not_found", `${project.url} has no branch ${wanted}.`, {
    hint: `Delete the sandbox, and make it from a branch that is there${some === "" ? "" : `: ${some}`}.`,
  });
}

function part(progress: FillProgress, [from, to]: readonly [number, number]): FillProgress["onProgress"] {
  return (fraction, detail) => progress.onProgress(fraction === null ? null : from + (to - from) * fraction, detail);
}
