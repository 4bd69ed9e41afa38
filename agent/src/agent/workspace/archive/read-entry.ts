/** An entry as an archive tells of it: nothing of it is to be trusted. */
export interface ReadEntry {
  readonly path: Buffer;
  readonly kind: "file" | "folder" | "link" | "hardlink" | "other";
  readonly mode: number;
  /** Of a file's contents, in bytes. */
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Where a link leads; empty for anything else. */
  readonly target: Buffer;
}
