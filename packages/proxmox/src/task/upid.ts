/** The parts of a task's id, `UPID:node:pid:pstart:starttime:type:id:user:`. */
export interface ParsedUpid {
  /** The id itself, as it goes into paths. */
  readonly upid: string;
  /** The node that the task runs on; its status and log are asked for there. */
  readonly node: string;
  readonly pid: number;
  /** Start of the process in clock ticks since boot; with the pid it names the process. */
  readonly processStart: number;
  /** Seconds since the Unix epoch. */
  readonly startedAtSeconds: number;
  /** `vzclone`, `vzstart`, `vzdestroy`, … */
  readonly type: string;
  /** What it works on, mostly a VMID; for a clone, the **source**. May be empty. */
  readonly id: string;
  /** `user@realm` or `user@realm!token`. */
  readonly user: string;
}

// The field widths are those of PVE::Tools::upid_decode.
const PATTERN =
  /^UPID:([A-Za-z0-9][A-Za-z0-9-]*):([0-9A-Fa-f]{8}):([0-9A-Fa-f]{8,9}):([0-9A-Fa-f]{8}):([^:\s]+):([^:\s]*):([^:\s]+):$/;

/** Parses a task's id; undefined if it is none. */
export function parseUpid(text: string): ParsedUpid | undefined {
  const match = PATTERN.exec(text);
  if (!match) return undefined;
  const [upid, node = "", pid = "", processStart = "", started = "", type = "", id = "", user = ""] = match;
  return {
    upid,
    node,
    pid: Number.parseInt(pid, 16),
    processStart: Number.parseInt(processStart, 16),
    startedAtSeconds: Number.parseInt(started, 16),
    type,
    id,
    user,
  };
}
