import type { SerialQueue } from "@berth/base";
import { CallFailure, type WorkspaceParams } from "@berth/protocol/link";
import type { Job } from "../workspace/job.ts";
import { namesOf, namesOfLinkPath } from "../workspace/path.ts";
import { readPaths } from "../workspace/stat.ts";
import { checkExit, type GitSurroundings, Repository } from "./repository.ts";

/** What changes repositories. */
export interface GitWriting extends GitSurroundings {
  /** Git lets one program at a time write an index: they come in turn. */
  readonly turns: SerialQueue;
}

const commitMs = 120_000;
const fromInput = ["--pathspec-from-file=-", "--pathspec-file-nul"] as const;

/** `gitStage` */
export function gitStage(job: Job, git: GitWriting, params: WorkspaceParams<"gitStage">): Promise<void> {
  return withPaths(job, git, params.path, async (repository, paths) => {
    const argv = ["add", "--all", ...fromInput];
    await repository.text({ argv, input: asInput(paths), writes: true, signal: job.signal });
    job.answer({ root: repository.root });
  });
}

/** `gitUnstage` */
export function gitUnstage(job: Job, git: GitWriting, params: WorkspaceParams<"gitUnstage">): Promise<void> {
  return withPaths(job, git, params.path, async (repository, paths) => {
    const argv = ["reset", "--quiet", ...fromInput];
    await repository.text({ argv, input: asInput(paths), writes: true, signal: job.signal });
    job.answer({ root: repository.root });
  });
}

/** `gitCommit`: without hooks, and unsigned. */
export function gitCommit(job: Job, git: GitWriting, params: WorkspaceParams<"gitCommit">): Promise<void> {
  const { message, all, amend, author } = params;
  return git.turns.run(() =>
    Repository.with(git, namesOfLinkPath(params.path), async (repository) => {
      const words = message === undefined ? ["--no-edit"] : ["--file=-", "--cleanup=whitespace"];
      const argv = [
        "commit",
        "--quiet",
        "--no-verify",
        "--no-gpg-sign",
        "--no-status",
        ...words,
        ...(all ? ["--all"] : []),
        ...(amend ? ["--amend"] : []),
        ...(author ? [`--author=${author.name} <${author.email}>`] : []),
      ];
      const env = author ? await committer(repository, author, job.signal) : {};
      const input = Buffer.from(message ?? "");
      const program = repository.start({ argv, input, env, writes: true, signal: job.signal, timeMs: commitMs });
      const said = (await program.bytes(64 * 1024)).toString();
      const exit = await program.ended;
      // What keeps it from a commit it says on its standard output.
      checkExit({ ...exit, stderr: exit.stderr || said.trim() || "there is nothing to commit" });
      const commit = await repository.commit("HEAD", job.signal);
      if (commit === undefined) throw new CallFailure("internal", "the commit is not there");
      job.answer({ root: repository.root, commit });
    }),
  );
}

/** Paths of the call's input, as their repository knows them, for as long as something is done with them. */
export function withPaths(
  job: Job,
  git: GitWriting,
  path: string,
  work: (repository: Repository, paths: readonly Buffer[]) => Promise<void>,
): Promise<void> {
  return Repository.with(git, namesOfLinkPath(path), async (repository) => {
    const paths = (await readPaths(job)).map((each) => repository.inside(namesOf(each)));
    // Git takes no paths for all paths.
    if (paths.length === 0) throw new CallFailure("invalid_request", "no path is named");
    await git.turns.run(() => work(repository, paths));
  });
}

/** Paths as git reads them. */
export function asInput(paths: readonly Buffer[]): Buffer {
  return Buffer.concat(paths.flatMap((path) => [path, Buffer.of(0)]));
}

/** The author commits, where the sandbox's user has not said who they are. */
async function committer(
  repository: Repository,
  { name, email }: { name: string; email: string },
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const known = await repository.textIfAny({ argv: ["config", "--get", "user.email"], signal });
  return known === undefined ? { GIT_COMMITTER_NAME: name, GIT_COMMITTER_EMAIL: email } : {};
}
