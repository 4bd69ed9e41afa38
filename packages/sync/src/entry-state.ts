/** What a path can be. `other`: a device, a socket, a pipe; none of these is synced. */
export type EntryType = "file" | "folder" | "link" | "other";

/** What a path is on one side at one moment. */
export interface EntryState {
  readonly type: EntryType;
  readonly bytes: number;
  /** Nanoseconds since the Unix epoch. */
  readonly mtimeNs: string;
  /** The permission bits, without those for set-id and sticky. */
  readonly mode: number;
  /** Of a link: where it leads, as bytes (latin1). */
  readonly target?: string;
}

/** A pull never lets everybody write what it brings, so that this bit may differ. */
const comparedModes = 0o775;

/** Whether two states are the same as far as a sync goes; the absence of anything is a state too. */
export function isSame(one: EntryState | undefined, other: EntryState | undefined): boolean {
  if (!one || !other) return one === other;
  if (one.type !== other.type) return false;
  switch (one.type) {
    case "file":
      return one.bytes === other.bytes && one.mtimeNs === other.mtimeNs && hasSameMode(one, other);
    case "link":
      return one.target === other.target;
    case "folder":
      return hasSameMode(one, other);
    case "other":
      return true;
  }
}

function hasSameMode(one: EntryState, other: EntryState): boolean {
  return (one.mode & comparedModes) === (other.mode & comparedModes);
}
