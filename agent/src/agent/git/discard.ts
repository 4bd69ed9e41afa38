import { isErrno } from "@berth/base/node";
import { CallFailure, type WorkspaceParams } from "@berth/protocol/link";
import type { Job } from "../workspace/job.ts";
import { namesOf } from "../workspace/path.ts";
import type { Place } from "../workspace/tree.ts";
import { asInput, type GitWriting, withPaths } from "./change.ts";
import { DiscardedSet, pruneDiscarded } from "./discarded.ts";
import type { Repository } from "./repository.ts";

/** A command line has bounds. */
const maxArgumentBytes = 96 * 1024;

/** What is to be discarded, in the repository. */
interface Affected {
  /** They get back what the index has. */
  readonly tracked: readonly Buffer[];
  /** They are taken away. */
  readonly present: readonly Buffer[];
}

/**
 * `gitDiscard`: what is there is moved to Berth's folder of discarded files, and what the index has is put in its place.
 * If that fails, everything is moved back.
 */
export function gitDiscard(job: Job, git: GitWriting, params: WorkspaceParams<"gitDiscard">): Promise<void> {
  return withPaths(job, git, params.path, async (repository, paths) => {
    const { tracked, present } = await affected(repository, paths, job.signal);
    const now = Date.now();
    await pruneDiscarded(git.tree.path, now, job.signal);
    const kept = new DiscardedSet(git.tree.path, now);
    const taken: Buffer[] = [];
    try {
      for (const path of present) {
        job.signal.throwIfAborted();
        const names = inWorkspace(repository, path);
        if (await at(git, names, (place) => kept.take(place, names))) taken.push(path);
      }
      await restore(repository, tracked);
    } catch (error) {
      for (const path of taken) {
        const names = inWorkspace(repository, path);
        // What was restored before the failure is the index's, which is not lost: then this one stays in the folder.
        await at(git, names, (place) => kept.giveBack(place, names)).catch(() => {});
      }
      throw error;
    }
    const files = new Set([...tracked, ...present].map((path) => path.toString("latin1"))).size;
    job.answer({ root: repository.root, files, kept: kept.path?.toString("base64url") ?? null });
  });
}

async function affected(repository: Repository, paths: readonly Buffer[], signal: AbortSignal): Promise<Affected> {
  const words = paths.map((path) => path.toString());
  if (words.some((word, index) => !Buffer.from(word).equals(paths[index] ?? Buffer.alloc(0))))
    throw new CallFailure("invalid_request", "a path that is not UTF-8 cannot be chosen: choose its folder");
  if (words.reduce((sum, word) => sum + word.length + 1, 0) > maxArgumentBytes)
    throw new CallFailure("payload_too_large", "there are too many paths for one call");
  const diff = [
    "diff",
    "--name-status",
    "-z",
    "--no-renames",
    "--no-ext-diff",
    "--ignore-submodules=all",
    "--",
    ...words,
  ];
  const changed = await nulFields(repository, diff, signal);
  const others = await nulFields(
    repository,
    ["ls-files", "-z", "--others", "--exclude-standard", "--", ...words],
    signal,
  );
  const tracked: Buffer[] = [];
  const present: Buffer[] = [];
  for (let index = 0; index + 1 < changed.length; index += 2) {
    const state = changed[index]?.toString();
    const path = changed[index + 1];
    if (!path) continue;
    if (state === "U") throw new CallFailure("conflict", "a file has conflicts: resolve them first");
    tracked.push(path);
    if (state !== "D") present.push(path);
  }
  // Another repository below this one is told of as a folder, by a slash.
  present.push(...others.map((path) => (path.at(-1) === 0x2f ? path.subarray(0, -1) : path)));
  return { tracked, present };
}

async function nulFields(repository: Repository, argv: readonly string[], signal: AbortSignal): Promise<Buffer[]> {
  const bytes = await repository.bytes({ argv, signal });
  const fields: Buffer[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(0, start);
    fields.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return fields;
}

async function restore(repository: Repository, tracked: readonly Buffer[]): Promise<void> {
  if (tracked.length === 0) return;
  const argv = ["restore", "--worktree", "--pathspec-from-file=-", "--pathspec-file-nul"];
  // Files are away by now: it is not given up because nobody waits any more.
  const { signal } = new AbortController();
  await repository.text({ argv, input: asInput(tracked), writes: true, signal });
}

function inWorkspace(repository: Repository, path: Buffer): Buffer[] {
  return [...repository.names, ...namesOf(path)];
}

/** Does something at a place, if it is there. */
async function at(git: GitWriting, names: readonly Buffer[], work: (place: Place) => Promise<void>): Promise<boolean> {
  try {
    await git.tree.at(names, work);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}
