import {
  BerthError,
  type FetchResult,
  type GitCredential,
  type gitPush,
  type Project,
  type PushPolicy,
  type PushResult,
  type RouteInput,
  type SandboxProject,
  type StepName,
  type Worktree,
  type WorktreeResult,
} from "@berth/protocol";
import type { FastifyBaseLogger } from "fastify";
import type { Course } from "../operations/course.ts";
import type { SandboxRow } from "../sandboxes/record.ts";
import { readCredential, removeCredential, writeCredential } from "./credentials.ts";
import { remoteError, sandboxError } from "./failures.ts";
import type { FetchOptions } from "./mirror.ts";
import type { Mirrors, ProjectTurn } from "./mirrors.ts";
import { type ProjectPlaces, type ProjectSandbox, projectSandbox } from "./place.ts";
import { allowedPath, type RepositoryRoots, readRemote } from "./remote-url.ts";
import { type ProjectRow, type Projects, presentProject } from "./repository.ts";
import type { SandboxRepository } from "./sandbox-repository.ts";
import { byAgentScript } from "./sandbox-scripts.ts";
import { giveCommits, pushToRemote, sandboxRef, takeCommits } from "./transfers.ts";
import { bringWorktree, isSpent, removeWorktree, worktreeHead } from "./worktree.ts";
import { bringWorktreeFiles, forgetWorktreeFiles } from "./worktree-files.ts";

type PushWish = RouteInput<typeof gitPush>["body"];

/** How a piece of work is ended early, and who is told of its course. */
export interface Performing {
  readonly signal: AbortSignal;
  readonly course: Pick<Course, "step" | "log">;
}

export interface GitProjectsDependencies {
  readonly projects: Projects;
  readonly mirrors: Mirrors;
  readonly places: ProjectPlaces;
  readonly roots: RepositoryRoots;
  readonly log: FastifyBaseLogger;
  now(): number;
  /** Writes down what a sandbox may push. */
  allow(row: SandboxRow, push: PushPolicy): Promise<void>;
  repository(row: SandboxRow, signal?: AbortSignal): Promise<SandboxRepository>;
}

/** Projects, and how commits travel between their remotes, the controller's host and sandboxes. */
export class GitProjects {
  readonly #deps: GitProjectsDependencies;

  constructor(dependencies: GitProjectsDependencies) {
    this.#deps = dependencies;
  }

  async present(row: ProjectRow): Promise<Project> {
    return presentProject(row, (await readCredential(this.#deps.places.project(row.id))) !== undefined);
  }

  /** Throws `invalid_request` or `forbidden` for a remote that may not be used. */
  async checkRemote(url: string): Promise<string> {
    const remote = readRemote(url);
    if (remote.kind === "file") await allowedPath(remote.url, this.#deps.roots);
    return remote.url;
  }

  async setCredential(row: ProjectRow, credential: GitCredential | undefined): Promise<void> {
    const folder = this.#deps.places.project(row.id);
    if (!credential) return removeCredential(folder);
    if (readRemote(row.url).kind !== "https") {
      throw new BerthError("invalid_request", "A credential is for https remotes; this one is not.", {
        hint: "SSH remotes use the controller's own key or agent (BERTH_GIT_SSH_KEY, SSH_AUTH_SOCK).",
      });
    }
    await writeCredential(folder, credential);
  }

  async remove(row: ProjectRow): Promise<void> {
    await this.#deps.projects.remove(row);
    await this.#deps.mirrors.forget(row.id);
  }

  async ofSandbox(row: SandboxRow): Promise<SandboxProject> {
    const sandbox = required(row);
    return this.#deps.mirrors.turn(sandbox.projectId, async ({ project, mirror }) => ({
      project: await this.present(project),
      branch: sandbox.branch,
      baseBranch: row.base_branch,
      commit: (await mirror.resolve(sandboxRef(row.id))) ?? null,
      push: row.git_push,
    }));
  }

  /** Says what a `git push` in the sandbox may do from now on. */
  async allow(row: SandboxRow, push: PushPolicy): Promise<SandboxProject> {
    required(row);
    await this.#deps.allow(row, push);
    return this.ofSandbox({ ...row, git_push: push });
  }

  /** Throws `conflict` for a sandbox that is no project's, and `sandbox_not_ready` for one that does not run. */
  require(row: SandboxRow): void {
    required(row);
    if (row.state === "ready" || row.state === "failed") return;
    throw new BerthError("sandbox_not_ready", `The sandbox "${row.name}" is ${row.state}.`, {
      hint: "Start it first.",
    });
  }

  /** Takes the sandbox's commits and pushes them to the remote. */
  async push(row: SandboxRow, wish: PushWish, performing: Performing): Promise<PushResult> {
    const { signal, course } = performing;
    const sandbox = required(row);
    course.step("take");
    const repository = await this.#deps.repository(row, signal);
    return this.#deps.mirrors.turn(sandbox.projectId, async (turn) => {
      const commit = await this.#take(turn, sandbox, repository, performing);
      if (commit === undefined) {
        throw new BerthError("conflict", `The sandbox's branch ${sandbox.branch} has no commits.`, {
          hint: `Commit to it first; only ${sandbox.branch} is pushed, whatever else is checked out.`,
        });
      }
      const remoteBranch = wish.remoteBranch ?? sandbox.branch;
      const pushing = { commit, branch: remoteBranch, force: wish.force ?? false };
      course.step("push", `pushing to ${turn.project.url}`);
      const { state, messages } = await translated(remoteError, async () =>
        pushToRemote(turn.mirror, await turn.remote(), pushing, told(performing, "push")),
      );
      for (const line of messages) course.log(line);
      course.step("share");
      await this.#tellSandbox(turn, sandbox, repository, signal);
      const worktree = await this.#worktree(turn, sandbox, commit).catch((err: unknown) => {
        this.#deps.log.warn({ sandboxId: sandbox.id, err }, "a worktree was not brought along");
        return null;
      });
      return { branch: sandbox.branch, remoteBranch, commit, state, messages, worktree };
    });
  }

  /** Brings the remote's commits to the sandbox, and the sandbox's to the host. */
  async fetch(row: SandboxRow, performing: Performing): Promise<FetchResult> {
    const { signal, course } = performing;
    const sandbox = required(row);
    course.step("fetch");
    const repository = await this.#deps.repository(row, signal);
    return this.#deps.mirrors.turn(sandbox.projectId, async (turn) => {
      await translated(remoteError, () => turn.fetch(told(performing, "fetch")));
      course.step("give");
      const own = await worktreeHead(turn.mirror, this.#deps.places.worktree(sandbox));
      const more = own === undefined ? [] : [`+refs/heads/${sandbox.branch}:refs/remotes/host/${sandbox.branch}`];
      const toSandbox = (error: unknown) => sandboxError(error, sandbox.name);
      await translated(toSandbox, async () => {
        await giveCommits(turn.mirror, repository, more, told(performing, "give"));
        await repository.run({ script: byAgentScript, ...scriptBounds, signal });
      });
      course.step("take");
      const commit = await this.#take(turn, sandbox, repository, performing);
      course.step("share");
      return { commit: commit ?? null, worktree: await this.#worktree(turn, sandbox, commit) };
    });
  }

  /** Brings the host's worktree to the sandbox's last commit or, with files, to what its files are now. */
  async worktree(row: SandboxRow, withFiles: boolean, performing: Performing): Promise<WorktreeResult> {
    const { signal, course } = performing;
    const sandbox = required(row);
    course.step("take");
    const repository = await this.#deps.repository(row, signal);
    const { places, now } = this.#deps;
    return this.#deps.mirrors.turn(sandbox.projectId, async (turn) => {
      const commit = await this.#take(turn, sandbox, repository, performing);
      course.step("share");
      if (commit === undefined || !withFiles) return { ...(await this.#worktree(turn, sandbox, commit)), files: null };
      const order = { sandbox: repository.folder, memory: places.worktreeMemory(sandbox), signal, now };
      const bring = () => bringWorktreeFiles(turn.mirror, places.worktree(sandbox), commit, order);
      const { worktree, files } = await translated((error) => sandboxError(error, row.name), bring);
      return { ...worktree, files };
    });
  }

  /** Takes away what is on the host of a sandbox that is gone. A worktree with work of its own stays. Never rejects. */
  async gone(row: SandboxRow): Promise<void> {
    const sandbox = projectSandbox(row);
    if (!sandbox) return;
    try {
      await this.#deps.mirrors.turn(sandbox.projectId, async ({ mirror }) => {
        const place = this.#deps.places.worktree(sandbox);
        const last = await mirror.resolve(sandboxRef(row.id));
        const spent = last === undefined || (await isSpent(mirror, place, last));
        if (spent) await removeWorktree(mirror, place);
        await forgetWorktreeFiles(this.#deps.places.worktreeMemory(sandbox));
        if (last !== undefined) await mirror.deleteRef(sandboxRef(row.id));
      });
    } catch (error) {
      this.#deps.log.warn({ sandboxId: row.id, err: error }, "what the host has of a sandbox's project stays");
    }
  }

  #take(turn: ProjectTurn, sandbox: ProjectSandbox, repository: SandboxRepository, performing: Performing) {
    const from = { sandboxId: sandbox.id, branch: sandbox.branch };
    const translate = (error: unknown) => sandboxError(error, sandbox.name);
    return translated(translate, () => takeCommits(turn.mirror, repository, from, told(performing, "take")));
  }

  async #worktree(turn: ProjectTurn, sandbox: ProjectSandbox, commit: string | undefined): Promise<Worktree> {
    const place = this.#deps.places.worktree(sandbox);
    if (commit === undefined) return { path: place.path, commit: null, state: "current" };
    return bringWorktree(turn.mirror, place, commit);
  }

  /** The sandbox learns that the remote has its commits. That is a courtesy: the push has been made. */
  async #tellSandbox(
    turn: ProjectTurn,
    sandbox: ProjectSandbox,
    repository: SandboxRepository,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await giveCommits(turn.mirror, repository, [], { signal });
    } catch (error) {
      this.#deps.log.info({ sandboxId: sandbox.id, err: error }, "a sandbox was not told that its commits are pushed");
    }
  }
}

const scriptBounds = { maxOutputBytes: 64 * 1024, timeoutMs: 30_000 } as const;

/** Git's own progress as that of a step. */
function told({ signal, course }: Performing, step: StepName): FetchOptions {
  return { signal, onProgress: (fraction, detail) => course.step(step, detail, fraction) };
}

function required(row: SandboxRow): ProjectSandbox {
  const sandbox = projectSandbox(row);
  if (sandbox) return sandbox;
  if (row.project_id === null) {
    throw new BerthError("conflict", `The sandbox "${row.name}" was not made from a git project.`, {
      hint: "Make one with a workspace of type git.",
    });
  }
  throw new BerthError("sandbox_not_ready", `The workspace of the sandbox "${row.name}" is not filled yet.`);
}

async function translated<T>(translate: (error: unknown) => unknown, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw translate(error);
  }
}
