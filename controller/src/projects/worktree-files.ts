import { mkdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { Worktree, WorktreeFiles } from "@berth/protocol";
import { type RawPath, type RemoteFolder, type SyncOrder, sync, textOf } from "@berth/sync";
import type { MirrorTurn } from "./mirror.ts";
import { bringWorktree, moveWorktree, type WorktreePlace } from "./worktree.ts";

/** Where the files of a sandbox come from, and what is remembered of earlier times. */
export interface WorktreeFilesOrder {
  readonly sandbox: RemoteFolder;
  /** A path; what is kept has endings of its own. */
  readonly memory: string;
  readonly signal: AbortSignal;
  now(): number;
}

const limits = { files: 500_000, bytes: 32 * 1024 ** 3 } as const;
const retention = { days: 30, bytes: 1024 ** 3 } as const;
const filter = { excludes: [], gitignore: true, defaultExcludes: true, git: false } as const;
const maxToldPaths = 100;

/**
 * Brings a worktree to a commit of its sandbox, and its files to what the sandbox's are, committed or not. What somebody
 * has changed in it since it was brought along last, and the sandbox as well, stays, and is told of; what is replaced goes
 * to a backup.
 */
export async function bringWorktreeFiles(
  mirror: MirrorTurn,
  place: WorktreePlace,
  commit: string,
  order: WorktreeFilesOrder,
): Promise<{ worktree: Worktree; files: WorktreeFiles | null }> {
  const moved = await moveWorktree(mirror, place, commit);
  if (!moved) {
    const worktree = await bringWorktree(mirror, place, commit);
    if (worktree.state !== "current") return { worktree, files: null };
    return { worktree, files: await pull(place, new Set(), order) };
  }
  if (moved.worktree.state !== "current") return { worktree: moved.worktree, files: null };
  return { worktree: moved.worktree, files: await pull(place, moved.changed, order) };
}

/** Removes what is remembered. */
export async function forgetWorktreeFiles(memory: string): Promise<void> {
  for (const path of pathsOf(memory)) await rm(path, { recursive: true, force: true });
}

function pathsOf(memory: string): [memoryFile: string, backups: string] {
  return [`${memory}.memory`, `${memory}.backups`];
}

/** `changed`: the files that were not as the worktree's last commit has them. */
async function pull(
  { path }: WorktreePlace,
  changed: ReadonlySet<RawPath>,
  { sandbox, memory, signal, now }: WorktreeFilesOrder,
): Promise<WorktreeFiles> {
  const [memoryFile, backups] = pathsOf(memory);
  await mkdir(dirname(memory), { recursive: true, mode: 0o700 });
  const order: SyncOrder = {
    ...{
      direction: "pull",
      hostFolder: path,
      sandbox,
      multiplex: true,
      memoryFile,
      backups,
      dryRun: false,
      deletes: true,
    },
    ...{ filter, limits, retention, signal, now },
  };
  const report = await sync(order);
  const conflicts = report.changes.filter(({ action }) => action === "conflict").map(({ path: name }) => name);
  // What was as a commit has it is nobody's work: git has it.
  const nobodys = conflicts.filter((name) => !changed.has(name));
  const again =
    nobodys.length === 0
      ? undefined
      : await sync({ ...order, resolutions: new Map(nobodys.map((name) => [name, "source"])) });
  const left = conflicts.filter((name) => changed.has(name));
  const { create, update, delete: removed } = report.counts;
  const resolved = again ? again.counts.create + again.counts.update + again.counts.delete : 0;
  return {
    brought: create + update + removed + resolved,
    conflicts: left.slice(0, maxToldPaths).map((name) => textOf(name).text),
  };
}
