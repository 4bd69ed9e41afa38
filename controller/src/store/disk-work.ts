/** What is to be done with the disk of a sandbox. */
export interface DiskWork {
  kind: "snapshot" | "delete_snapshot" | "rollback";
  /** Of the snapshot. */
  name: string;
  description?: string;
  /** The operation that it was asked for with: by it a snapshot is known again whose task's end was not seen. */
  operationId: string;
}

/** What a sandbox is a copy of. */
export interface ForkSource {
  sandboxId: string;
  vmid: number;
  node: string;
  /** What is cloned; null: the disk as it is, of a container that is stopped. */
  snapshot: string | null;
  /** The snapshot was taken for this alone, or was about to be, and is to be removed. */
  temporary: boolean;
  /** What is to be cloned is known, and there. */
  prepared: boolean;
}
