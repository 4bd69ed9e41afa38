import type { EntryState } from "./entry-state.ts";
import type { RawPath } from "./raw-path.ts";

/**
 * One of the two folders of a sync, for what rsync does not do. No call follows a link: what is in the folder may be
 * somebody else's, and change at any time. Each rejects with a `SyncFailure` if the side cannot be reached.
 */
export interface Side {
  /** What these paths are now; those that are not there are missing. */
  stat(paths: readonly RawPath[]): Promise<Map<RawPath, EntryState>>;
  /** SHA-256 of files, hexadecimal; those that cannot be read are missing. */
  hash(paths: readonly RawPath[]): Promise<Map<RawPath, string>>;
  /** Moves entries that are no folders into a backup, under their own paths; answers those that were moved. */
  setAside(paths: readonly RawPath[], backup: string): Promise<RawPath[]>;
  /** Removes those of these folders that are empty. */
  removeFolders(paths: readonly RawPath[]): Promise<void>;
  /** Gives entries other names; one whose new name is taken stays. Answers the old names of those that were renamed. */
  rename(pairs: readonly (readonly [from: RawPath, to: RawPath])[]): Promise<RawPath[]>;
  /**
   * Before anything is written: makes the folders that a run needs, and leaves a marker there. Where an earlier run has
   * left one, what rsync was writing when it was killed is moved into this backup; answers its paths. Once a run.
   */
  prepare(backup: string): Promise<readonly RawPath[]>;
  /** What a `prepare` would move away now: nobody's files, and not to be taken for any. */
  leftovers(): Promise<readonly RawPath[]>;
  /**
   * After a run: keeps no more than so much of the backups, the newest. Takes the marker away if rsync came to its end
   * (`inOrder`), as it then has left nothing.
   */
  tidy(retention: BackupRetention, inOrder: boolean): Promise<void>;
  backups(): Promise<BackupFacts[]>;
  /** The paths in a backup; at most so many. */
  backupPaths(backup: string, limit: number): Promise<RawPath[]>;
  /** Copies one file of a backup to where it was; what is there is moved to the other backup first. */
  restore(backup: string, path: RawPath, aside: string): Promise<boolean>;
}

/** How long backups are kept. The newest is, in any case. */
export interface BackupRetention {
  readonly days: number;
  readonly bytes: number;
}

/** A backup: what one run has replaced or deleted. */
export interface BackupFacts {
  /** Its instant, `20260101T120000Z-000`. */
  readonly id: string;
  readonly files: number;
  readonly bytes: number;
}

/** Folders that belong to Berth on both sides, relative to the folder that is synced; never synced themselves. */
export const ownFolder = ".berth";
/** What rsync keeps of a file that it could not finish, beside that. */
export const partialFolder = ".berth-partial";
/** What a run needs while it lasts. */
export const temporaryFolder = `${ownFolder}/sync`;
/**
 * Is at a destination while rsync writes there, and stays where it did not come to its end. A journal keeps the order of
 * such changes, so that after a loss of power no file is there that was begun after a marker that is not.
 */
export const markerFile = `${temporaryFolder}/unfinished`;
