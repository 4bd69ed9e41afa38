import type { FilterOptions } from "./filter/rules.ts";
import type { LocalSide } from "./local-side.ts";
import type { Resolution } from "./plan.ts";
import type { TransferProgress } from "./progress.ts";
import type { RawPath } from "./raw-path.ts";
import type { RemoteFolder } from "./remote-side.ts";
import type { RsyncPlaces, SyncDirection } from "./rsync.ts";
import type { BackupRetention, Side } from "./side.ts";

/** What is to be synced, and how. */
export interface SyncOrder {
  readonly direction: SyncDirection;
  /** Absolute. */
  readonly hostFolder: string;
  readonly sandbox: RemoteFolder;
  /** Whether one SSH connection may serve the whole run (OpenSSH's multiplexing). */
  readonly multiplex: boolean;
  /** Where is kept what both sides were; one file a pair of folders. */
  readonly memoryFile: string;
  /** Where a run may have files of its own, which are gone at its end; the system's folder for such if absent. */
  readonly scratch?: string;
  /** The folder for the host's backups; not below the folder that is synced. */
  readonly backups: string;
  readonly dryRun: boolean;
  readonly deletes: boolean;
  readonly filter: FilterOptions;
  readonly bwlimitKiB?: number;
  /** Conflicts that were decided; then nothing else is synced. */
  readonly resolutions?: ReadonlyMap<RawPath, Resolution> | undefined;
  /** Who owns what is written on the host; whoever runs this if absent. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** What a pull may bring. */
  readonly limits: { readonly files: number; readonly bytes: number };
  readonly retention: BackupRetention;
  readonly signal: AbortSignal;
  readonly now: () => number;
  onPhase?(phase: "compare" | "transfer"): void;
  onProgress?(progress: TransferProgress): void;
  /** Something that people should know and that is no failure. */
  onNote?(text: string): void;
}

/** A run under way. */
export interface Run extends SyncOrder {
  readonly places: RsyncPlaces;
  readonly workFolder: string;
  readonly host: LocalSide;
  readonly source: Side;
  readonly destination: Side;
}
