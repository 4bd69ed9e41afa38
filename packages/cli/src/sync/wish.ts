import type { FilterOptions, Resolution, SyncDirection } from "@berth/sync";

/** What somebody wants of a sync. */
export interface SyncWish {
  readonly direction: SyncDirection;
  /** Absolute. */
  readonly folder: string;
  readonly dryRun: boolean;
  readonly deletes: boolean;
  readonly filter: FilterOptions;
  readonly bwlimitKiB?: number;
  /** Conflicts that are decided; then nothing else is synced. Paths from the folder on. */
  readonly resolve?: { readonly files: readonly string[]; readonly as: Resolution };
  /** The folder in the sandbox, absolute, in place of its workspace. */
  readonly path?: string;
}
