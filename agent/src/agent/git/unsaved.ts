import { CallFailure } from "@berth/protocol/link";
import type { Job } from "../workspace/job.ts";
import { hasRepositoryBelow } from "./repositories-below.ts";
import { checkExit, type GitSurroundings, Repository } from "./repository.ts";

/** The host's worktree, whose commits are the remote `host` here, may go with the sandbox. */
const elsewhere = ["--exclude=host/*", "--remotes"] as const;

/**
 * `gitUnsaved`: counts what the workspace's own repository has and no remote. Nothing is written. Throws `conflict` where
 * there are others below, for which somebody else has to look.
 */
export async function gitUnsaved(job: Job, git: GitSurroundings): Promise<void> {
  if (await hasRepositoryBelow(git.tree)) throw new CallFailure("conflict", "there are repositories in its folders");
  await Repository.with(git, [], async (repository) => {
    const { signal } = job;
    const count = async (argv: readonly string[]) => Number(await repository.text({ argv, signal }));
    const head = await repository.commit("HEAD", signal);
    const heads = [...(head === undefined ? [] : [head]), "--branches"];
    const commits = await count(["rev-list", "--count", ...heads, "--not", ...elsewhere]);
    const stash = await repository.commit("refs/stash", signal);
    const stashes = stash === undefined ? 0 : await count(["rev-list", "-g", "--count", "refs/stash"]);
    job.answer({ commits, stashes, files: await changedFiles(repository, signal) });
  });
}

async function changedFiles(repository: Repository, signal: AbortSignal): Promise<number> {
  const which = ["--no-renames", "--untracked-files=normal", "--ignore-submodules=none"];
  const program = repository.start({ argv: ["status", "--porcelain", "-z", ...which], signal });
  let files = 0;
  for await (const chunk of program.output()) for (const byte of chunk) if (byte === 0) files += 1;
  checkExit(await program.ended);
  return files;
}
