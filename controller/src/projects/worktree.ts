import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BerthError, type Worktree } from "@berth/protocol";
import { ProcessOutOfBounds } from "./bounded-process.ts";
import type { MirrorTurn } from "./mirror.ts";

/** Where a sandbox's worktree is. */
export interface WorktreePlace {
  /** Absolute. */
  readonly path: string;
  /** The sandbox's branch. */
  readonly branch: string;
}

/**
 * Brings a worktree to a commit of its sandbox, on the sandbox's branch. What somebody has made in it is never touched: if
 * it has changes or commits of its own, it stays as it is.
 */
export async function bringWorktree(mirror: MirrorTurn, place: WorktreePlace, commit: string): Promise<Worktree> {
  const { path, branch } = place;
  await checkTree(mirror, commit);
  const ref = `refs/heads/${branch}`;
  const present = await openWorktree(mirror, place);
  if (!present) {
    const own = (await mirror.resolve(ref)) ?? commit;
    const start = (await mirror.isAncestor(own, commit)) ? commit : own;
    await mirror.setRef(ref, start);
    await rm(path, { recursive: true, force: true });
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await mirror.git(["worktree", "prune"]);
    await mirror.git(["worktree", "add", "--quiet", "--force", "--", path, branch], { timeoutMs: checkoutMs });
    return { path, commit: start, state: start === commit ? "current" : "diverged" };
  }
  const git = (args: readonly string[]) => mirror.git(args, { env: present, cwd: path, timeoutMs: checkoutMs });
  const head = await headOf(git);
  if (head === commit) return { path, commit, state: "current" };
  if (head !== undefined && !(await mirror.isAncestor(head, commit))) return { path, commit: head, state: "diverged" };
  const { output } = await git(["status", "--porcelain", "-z", "--no-renames", "--untracked-files=no"]);
  if (output !== "") return { path, commit: head ?? null, state: "changed" };
  try {
    // Refuses, having changed nothing, where it would overwrite a file that git does not know.
    await git(["merge", "--quiet", "--ff-only", "--no-edit", "--no-verify", commit]);
  } catch (error) {
    if ((await headOf(git)) !== head) throw error;
    return { path, commit: head ?? null, state: "changed" };
  }
  return { path, commit, state: "current" };
}

/**
 * Moves a worktree's branch to a later commit and leaves its files as they are, for who brings them from elsewhere. Answers
 * which were not as the commit before has them, by their bytes as latin1; undefined: there is no worktree.
 */
export async function moveWorktree(
  mirror: MirrorTurn,
  place: WorktreePlace,
  commit: string,
): Promise<{ worktree: Worktree; changed: ReadonlySet<string> } | undefined> {
  const present = await openWorktree(mirror, place);
  if (!present) return undefined;
  const { path } = place;
  await checkTree(mirror, commit);
  const more = { env: present, cwd: path, timeoutMs: checkoutMs } as const;
  const git = (args: readonly string[]) => mirror.git(args, more);
  const status = ["status", "--porcelain", "-z", "--no-renames", "--untracked-files=all"];
  const { output } = await mirror.git(status, { ...more, encoding: "latin1" });
  const changed = new Set(output.split("\0").map((entry) => entry.slice(3)));
  const head = await headOf(git);
  if (head !== undefined && !(await mirror.isAncestor(head, commit))) {
    return { worktree: { path, commit: head, state: "diverged" }, changed };
  }
  if (head !== commit) await git(["reset", "--quiet", "--mixed", commit]);
  return { worktree: { path, commit, state: "current" }, changed };
}

/** What a checkout may write: files, and bytes in all. */
const treeLimits = { files: 500_000, bytes: 32 * 1024 ** 3 } as const;

/** A few megabytes that a sandbox sends may be a tree of terabytes. Throws `limit_exceeded`. */
async function checkTree(mirror: MirrorTurn, commit: string): Promise<void> {
  const tooLarge = new BerthError("limit_exceeded", "The commit's tree is too large for a worktree on the host.", {
    hint: `At most ${treeLimits.files} files and ${treeLimits.bytes / 1024 ** 3} GiB are checked out there.`,
  });
  let sizes: string[];
  try {
    const { output } = await mirror.git(["ls-tree", "-r", "--full-tree", "--format=%(objectsize)", commit]);
    sizes = output.split("\n");
  } catch (error) {
    throw error instanceof ProcessOutOfBounds ? tooLarge : error;
  }
  const bytes = sizes.reduce((sum, size) => sum + (Number(size) || 0), 0);
  if (sizes.length > treeLimits.files || bytes > treeLimits.bytes) throw tooLarge;
}

/** Whether a worktree has nothing that its sandbox's last commit has not: no commit, no change, no file of its own. */
export async function isSpent(mirror: MirrorTurn, place: WorktreePlace, commit: string): Promise<boolean> {
  const present = await openWorktree(mirror, place);
  if (!present) return true;
  const { path } = place;
  const git = (args: readonly string[]) => mirror.git(args, { env: present, cwd: path, timeoutMs: checkoutMs });
  const head = await headOf(git);
  if (head !== undefined && !(await mirror.isAncestor(head, commit))) return false;
  const { output } = await git(["status", "--porcelain", "-z", "--no-renames", "--untracked-files=normal"]);
  return output === "";
}

/** The last commit of the worktree's branch; undefined: there is no worktree. */
export async function worktreeHead(mirror: MirrorTurn, place: WorktreePlace): Promise<string | undefined> {
  return (await openWorktree(mirror, place)) && mirror.resolve(`refs/heads/${place.branch}`);
}

/** Takes a worktree away, with its branch. */
export async function removeWorktree(mirror: MirrorTurn, { path, branch }: WorktreePlace): Promise<void> {
  await rm(path, { recursive: true, force: true });
  await mirror.git(["worktree", "prune"]);
  await mirror.deleteRef(`refs/heads/${branch}`);
}

const checkoutMs = 10 * 60_000;

/**
 * The environment that names a worktree to git; undefined: there is none. The worktree's own `.git` file does not count:
 * it is among files that a sandbox has written.
 */
async function openWorktree(mirror: MirrorTurn, { path }: WorktreePlace): Promise<Record<string, string> | undefined> {
  const { output } = await mirror.git(["worktree", "list", "--porcelain", "-z"]);
  const listed = output.split("\0\0").find((entry) => entry.split("\0")[0] === `worktree ${path}`);
  if (listed === undefined || listed.includes("\0prunable")) return undefined;
  return { GIT_DIR: join(mirror.folder, "worktrees", nameOf(path)), GIT_WORK_TREE: path };
}

/** Git names a worktree's folder in the repository after the worktree's own. */
function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

async function headOf(git: (args: readonly string[]) => Promise<{ output: string }>): Promise<string | undefined> {
  const { output } = await git(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]);
  return output.trim() || undefined;
}
