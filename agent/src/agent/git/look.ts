import { CallFailure, gitLogFields, type WorkspaceParams } from "@berth/protocol/link";
import type { Job } from "../workspace/job.ts";
import { namesOfLinkPath } from "../workspace/path.ts";
import { withoutEmptyFiles } from "./empty-files.ts";
import { checkExit, type GitSurroundings, Repository } from "./repository.ts";

/** More pairs of files are not compared to find renames among them. */
const renameLimit = 1000;

/** `gitStatus`: nothing is written, not even what git has learned of the files. */
export async function gitStatus(job: Job, git: GitSurroundings, params: WorkspaceParams<"gitStatus">): Promise<void> {
  await Repository.with(git, namesOfLinkPath(params.path), async (repository) => {
    await sendOutput(job, repository, { root: repository.root }, [
      "status",
      "--porcelain=v2",
      "-z",
      "--branch",
      `--untracked-files=${params.untracked}`,
      "--find-renames",
      "--ignore-submodules=dirty",
      "--",
      ...only(repository, params.path),
    ]);
  });
}

/** `gitDiff` */
export async function gitDiff(job: Job, git: GitSurroundings, params: WorkspaceParams<"gitDiff">): Promise<void> {
  await Repository.with(git, namesOfLinkPath(params.path), async (repository) => {
    const argv = [
      "diff",
      "--patch",
      "--no-ext-diff",
      "--no-textconv",
      "--no-color",
      "--no-relative",
      "--find-renames",
      `-l${renameLimit}`,
      "--src-prefix=a/",
      "--dst-prefix=b/",
      "--submodule=short",
      "--ignore-submodules=dirty",
      `--unified=${params.context}`,
      ...(await sides(repository, params, job.signal)),
      "--",
      ...only(repository, params.path),
    ];
    await sendOutput(job, repository, { root: repository.root }, argv, withoutEmptyFiles);
  });
}

/** `gitLog` */
export async function gitLog(job: Job, git: GitSurroundings, params: WorkspaceParams<"gitLog">): Promise<void> {
  await Repository.with(git, namesOfLinkPath(params.path), async (repository) => {
    const from = await repository.commit(params.from ?? "HEAD", job.signal);
    if (from === undefined && params.from !== undefined) throw noCommit(params.from);
    const answer = { root: repository.root, from: from ?? null };
    if (from === undefined) return job.answer(answer);
    await sendOutput(job, repository, answer, [
      "log",
      "-z",
      "--no-color",
      "--no-show-signature",
      "--no-notes",
      "--decorate=full",
      `--format=tformat:${gitLogFields.join("%n")}%n%B`,
      `--skip=${params.skip}`,
      `--max-count=${params.limit}`,
      from,
      "--",
      ...only(repository, params.path),
    ]);
  });
}

async function sendOutput(
  job: Job,
  repository: Repository,
  answer: object,
  argv: readonly string[],
  filter: (output: AsyncIterable<Buffer>) => AsyncIterable<Buffer> = (output) => output,
): Promise<void> {
  const program = repository.start({ argv, signal: job.signal });
  let answered = false;
  for await (const chunk of filter(program.output())) {
    if (!answered) job.answer(answer);
    answered = true;
    await job.write(chunk);
  }
  checkExit(await program.ended);
  if (!answered) job.answer(answer);
}

async function sides(
  repository: Repository,
  { staged, base }: WorkspaceParams<"gitDiff">,
  signal: AbortSignal,
): Promise<string[]> {
  if (base === undefined) return staged ? ["--cached"] : ["--ours"];
  const commit = await repository.commit(base, signal);
  if (commit === undefined) throw noCommit(base);
  const merge = await repository.textIfAny({ argv: ["merge-base", commit, "HEAD"], signal });
  return [...(staged ? ["--cached"] : []), merge?.trim() ?? commit];
}

/** The path that it is about, unless that is the whole repository. */
function only(repository: Repository, path: string): string[] {
  const names = namesOfLinkPath(path);
  if (names.length === repository.names.length) return [];
  const inside = repository.inside(names);
  // An argument is text here: Node has no other.
  if (!Buffer.from(inside.toString()).equals(inside))
    throw new CallFailure("invalid_request", "a path that is not UTF-8 cannot be chosen");
  return [inside.toString()];
}

function noCommit(name: string): CallFailure {
  return new CallFailure("not_found", `there is no commit ${JSON.stringify(name)}`);
}
