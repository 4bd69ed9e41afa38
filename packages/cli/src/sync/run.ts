import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { platform } from "node:process";
import { promisify } from "node:util";
import { DirectoryInUse, DirectoryLock, makePrivateDirectory } from "@berth/base/node";
import { guestPaths, type Sandbox } from "@berth/protocol";
import {
  type RemoteFolder,
  rawPathOfText,
  SyncFailure,
  type SyncFailureCode,
  type SyncReport,
  sync,
  type TransferProgress,
} from "@berth/sync";
import { exitCodes } from "../exit-codes.ts";
import { CommandFailed, conflict, notFound, unreachable } from "../failure.ts";
import type { Session } from "../session.ts";
import { hostAlias } from "../ssh/files.ts";
import { prepareSsh } from "../ssh/prepare.ts";
import type { SyncWish } from "./wish.ts";

/** As the controller keeps them. */
const retention = { days: 30, bytes: 4 * 1024 ** 3 };
/** What one pull may bring: more than this is a mistake, or meant to fill this machine's disk. */
const limits = { files: 1_000_000, bytes: 256 * 1024 ** 3 };

/** A folder of this machine and one of a sandbox's, which nobody else syncs until it is closed. */
export interface FolderSync {
  readonly wish: SyncWish;
  /** The folder here, with no link left in its path. */
  readonly folder: string;
  /** Syncs them once. Rejects with `CommandFailed`. */
  sync(): Promise<SyncReport>;
  /** Where a backup is, for people. */
  backupFolder(backup: string): string;
  close(): Promise<void>;
}

/** Prepares syncs of a folder of this machine with a sandbox, through the gateway. Rejects with `CommandFailed`. */
export async function openSync(session: Session, sandbox: Sandbox, wish: SyncWish): Promise<FolderSync> {
  const { signal } = session;
  const folder = await realpath(wish.folder).catch(() => {
    throw notFound(`There is no folder ${wish.folder}.`, "Make it, or name another one.");
  });
  const ssh = await prepareSsh(session);
  const host = hostAlias(sandbox.name, ssh.facts.profile);
  const command = ["ssh", "-F", ssh.files.config, "-o", "BatchMode=yes"] as const;
  const path = wish.path ?? (await workspaceThere([...command, host], signal));
  const state = await stateFolder(session, sandbox, folder, path);
  return {
    wish,
    folder,
    sync: () => runSync(session, wish, { folder, sandbox: { ssh: command, host, path }, state: state.folder }),
    backupFolder: (backup) =>
      wish.direction === "pull"
        ? join(state.folder, "backups", backup)
        : `${sandbox.name}:${join(path, ".berth/backups", backup)}`,
    close: async () => state.lock?.[Symbol.asyncDispose](),
  };
}

interface SyncPlaces {
  readonly folder: string;
  readonly sandbox: RemoteFolder;
  /** Where is kept what is remembered of the pair. */
  readonly state: string;
}

async function runSync(session: Session, wish: SyncWish, { folder, sandbox, state }: SyncPlaces): Promise<SyncReport> {
  const { signal, surroundings } = session;
  const progress = progressLine(session);
  try {
    return await sync({
      direction: wish.direction,
      hostFolder: folder,
      sandbox,
      multiplex: true,
      memoryFile: join(state, "memory"),
      backups: join(state, "backups"),
      dryRun: wish.dryRun,
      deletes: wish.deletes,
      filter: wish.filter,
      ...(wish.bwlimitKiB === undefined ? {} : { bwlimitKiB: wish.bwlimitKiB }),
      resolutions:
        wish.resolve && new Map(wish.resolve.files.map((file) => [rawPathOfText(file), wish.resolve?.as ?? "both"])),
      limits,
      retention,
      signal,
      now: () => surroundings.clock.now(),
      onProgress: progress.show,
      onNote: (text) => session.output.note(text),
    });
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof SyncFailure ? failed(error) : error;
  } finally {
    progress.end();
  }
}

/** Where the workspace is for programs that sign in: below another root only where containers are processes. */
async function workspaceThere(
  [program, ...args]: readonly [string, ...string[]],
  signal: AbortSignal,
): Promise<string> {
  const ask = promisify(execFile);
  try {
    const { stdout } = await ask(program, [...args, "--", 'printf %s "$BERTH_ROOT"'], { signal });
    if (/^(?:\/[^\0\n\r]{1,2048})?$/.test(stdout)) return `${stdout}/${guestPaths.workspace}`;
  } catch (error) {
    signal.throwIfAborted();
    const said = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
    throw unreachable(`The sandbox cannot be reached by SSH: ${said || "ssh says nothing"}`, "Try berth ssh.", error);
  }
  throw new CommandFailed(exitCodes.failed, "bad_answer", "The sandbox does not say where its workspace is.");
}

/** What is remembered of this pair of folders, and its lock: one sync at a time. */
async function stateFolder(
  session: Session,
  sandbox: Sandbox,
  folder: string,
  path: string,
): Promise<{ folder: string; lock?: DirectoryLock }> {
  const name = createHash("sha256")
    .update(JSON.stringify([folder, path]))
    .digest("hex")
    .slice(0, 16);
  const place = join(session.environment.stateDir, "sync", sandbox.id, name);
  await makePrivateDirectory(place);
  // The lock names its holder by what Linux alone tells of processes.
  if (platform !== "linux") return { folder: place };
  try {
    return { folder: place, lock: await DirectoryLock.acquire(place) };
  } catch (error) {
    if (error instanceof DirectoryInUse) throw conflict("sync_running", "This folder is being synced already.");
    throw error;
  }
}

const exitCodeOf: Partial<Record<SyncFailureCode, number>> = {
  unreachable: exitCodes.unreachable,
  refused: exitCodes.denied,
  host_key_mismatch: exitCodes.denied,
  missing_folder: exitCodes.notFound,
};

function failed({ code, message, hint }: SyncFailure): CommandFailed {
  return new CommandFailed(exitCodeOf[code] ?? exitCodes.failed, `sync_${code}`, message, hint);
}

/** One line that is written over and over, where somebody looks. */
function progressLine({ output }: Session): { show(progress: TransferProgress): void; end(): void } {
  let drawn = false;
  return {
    show: ({ bytes, percent, bytesPerSecond, secondsLeft, files }) => {
      if (!output.live || output.json) return;
      const left = secondsLeft === null ? "" : `, ${durationWords(secondsLeft)} left`;
      const text = `${percent ?? 0} %, ${megabytes(bytes)} MB, ${files} files, ${megabytes(bytesPerSecond)} MB/s${left}`;
      output.stderr.write(`\r\x1b[K${text.slice(0, (output.stderr.columns || 80) - 1)}`);
      drawn = true;
    },
    end: () => {
      if (drawn) output.stderr.write("\r\x1b[K");
    },
  };
}

function durationWords(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  return seconds < 3600 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
