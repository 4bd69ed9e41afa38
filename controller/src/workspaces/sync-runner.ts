import { createHash } from "node:crypto";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, SerialQueue } from "@berth/base";
import type { SyncRequest } from "@berth/protocol";
import {
  type BackupRetention,
  isInside,
  LocalSide,
  type RawPath,
  RemoteSide,
  type Resolution,
  type Side,
  type SyncOrder,
  type SyncReport,
  sync,
} from "@berth/sync";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { SandboxSsh } from "../ssh/sandbox-ssh.ts";
import type { SyncRunRequest } from "../store/tables.ts";
import type { HostFolders } from "./host-folders.ts";

export interface SyncRunnerDependencies {
  readonly dataDir: string;
  readonly ssh: SandboxSsh;
  readonly folders: HostFolders;
  readonly clock: Clock;
}

/** How a run is followed. */
export type RunHooks = Pick<SyncOrder, "onPhase" | "onProgress" | "onNote">;

/** What is kept of what syncs replace and delete, on each side. */
export const retention: BackupRetention = { days: 30, bytes: 4 * 1024 ** 3 };
/** What one pull may bring: more than this is a mistake, or meant to fill the host's disk. */
const pullLimits = { files: 1_000_000, bytes: 256 * 1024 ** 3 };

/** Runs syncs of workspaces, one at a time for a sandbox: others wait for their turn. */
export class SyncRunner {
  readonly #deps: SyncRunnerDependencies;
  readonly #queues = new Map<string, SerialQueue>();

  constructor(dependencies: SyncRunnerDependencies) {
    this.#deps = dependencies;
  }

  /** Before the first run: removes what the runs of a controller that was killed have left. */
  async start(): Promise<void> {
    await rm(this.#scratch, { recursive: true, force: true });
    await mkdir(this.#scratch, { recursive: true, mode: 0o700 });
  }

  /** Rejects with a `SyncFailure`, a `BerthError`, what connecting throws, or the signal's reason. */
  run(
    row: SandboxRow,
    request: SyncRunRequest,
    folder: string,
    signal: AbortSignal,
    hooks: RunHooks = {},
  ): Promise<SyncReport> {
    return this.#inTurn(row.id, async () => {
      signal.throwIfAborted();
      return sync(await this.#order(row, request, folder, signal, hooks));
    });
  }

  /** Works on both sides' backups, in its turn. */
  async withSides<T>(
    row: SandboxRow,
    folder: string,
    work: (sides: { host: Side; sandbox: Side }) => Promise<T>,
  ): Promise<T> {
    return this.#inTurn(row.id, async () => {
      const { command, host: name, workspace } = await this.#deps.ssh.openSsh(row);
      const host = new LocalSide({ root: folder, backups: this.#backups(row.id, folder) });
      return work({ host, sandbox: new RemoteSide({ ssh: command, host: name, path: workspace }) });
    });
  }

  /** Removes what is remembered of a sandbox that is gone; the host's backups stay for as long as any. */
  async forget(sandboxId: string): Promise<void> {
    const folder = this.#folderOf(sandboxId);
    for (const name of await readdir(folder).catch(() => [])) {
      if (name.endsWith(".memory")) await rm(join(folder, name), { force: true });
    }
  }

  async #order(
    row: SandboxRow,
    request: SyncRunRequest,
    named: string,
    signal: AbortSignal,
    hooks: RunHooks,
  ): Promise<SyncOrder> {
    // What was allowed when it was asked for may be a link to somewhere else by now.
    const folder = await this.#deps.folders.allowed(named);
    const { command, host, workspace } = await this.#deps.ssh.openSsh(row, signal);
    const owner = await ownerOf(folder);
    const { clock } = this.#deps;
    return {
      direction: request.direction,
      hostFolder: folder,
      sandbox: { ssh: command, host, path: workspace },
      multiplex: true,
      memoryFile: join(this.#folderOf(row.id), `${nameOf(folder)}.memory`),
      scratch: this.#scratch,
      backups: this.#backups(row.id, folder),
      dryRun: request.dryRun ?? false,
      deletes: request.delete ?? false,
      filter: filterOf(request),
      ...(request.bwlimitKiB === undefined ? {} : { bwlimitKiB: request.bwlimitKiB }),
      resolutions: resolutionsOf(request),
      ...(owner ? { owner } : {}),
      limits: pullLimits,
      retention,
      signal,
      now: () => clock.now(),
      ...hooks,
    };
  }

  get #scratch(): string {
    return join(this.#deps.dataDir, "workspaces", "scratch");
  }

  #folderOf(sandboxId: string): string {
    return join(this.#deps.dataDir, "workspaces", sandboxId);
  }

  #backups(sandboxId: string, folder: string): string {
    return join(this.#folderOf(sandboxId), `${nameOf(folder)}.backups`);
  }

  #inTurn<T>(sandboxId: string, work: () => Promise<T>): Promise<T> {
    const queue = this.#queues.get(sandboxId) ?? new SerialQueue();
    this.#queues.set(sandboxId, queue);
    return queue.run(work).finally(() => {
      if (queue.length === 0 && this.#queues.get(sandboxId) === queue) this.#queues.delete(sandboxId);
    });
  }
}

function filterOf(request: SyncRequest): SyncOrder["filter"] {
  return {
    excludes: request.excludes ?? [],
    gitignore: request.gitignore ?? true,
    defaultExcludes: request.defaultExcludes ?? true,
    git: request.git ?? false,
  };
}

function resolutionsOf({ resolve }: SyncRunRequest): ReadonlyMap<RawPath, Resolution> | undefined {
  if (!resolve) return undefined;
  const paths = resolve.paths.map((path) => Buffer.from(path, "base64url").toString("latin1")).filter(isInside);
  return new Map(paths.map((path) => [path, resolve.take]));
}

/** A name for the files that are kept of a pair of folders. */
function nameOf(folder: string): string {
  return createHash("sha256").update(folder).digest("hex").slice(0, 16);
}

/** Who owns what is written into a folder, where that can be said: only root gives files away. */
async function ownerOf(folder: string): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const { uid, gid } = await stat(folder);
  return { uid, gid };
}
