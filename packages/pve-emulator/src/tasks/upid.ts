/** The parts of a task's name: `UPID:node:PID:pstart:start time:type:id:user[!token]:`. */
export interface UpidParts {
  readonly node: string;
  readonly pid: number;
  /** When the worker process started, in clock ticks since the boot. */
  readonly pstart: number;
  /** Unix time in seconds. */
  readonly starttime: number;
  readonly type: string;
  /** What the task is about; of a clone, its source. */
  readonly id: string;
  /** `user@realm`, with `!token` if one was used. */
  readonly owner: string;
}

const pattern =
  /^UPID:([a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?):([0-9A-F]{8}):([0-9A-F]{8,9}):([0-9A-F]{8}):([^:\s]+):([^:\s]*):([^:\s]+):$/;

/** Takes a UPID apart; undefined when it is none. */
export function parseUpid(upid: string): UpidParts | undefined {
  const match = pattern.exec(upid);
  if (!match) return undefined;
  const [, node = "", pid = "", pstart = "", starttime = "", type = "", id = "", owner = ""] = match;
  return {
    node,
    pid: Number.parseInt(pid, 16),
    pstart: Number.parseInt(pstart, 16),
    starttime: Number.parseInt(starttime, 16),
    type,
    id,
    owner,
  };
}

export function formatUpid(parts: UpidParts): string {
  const hex = (value: number) => value.toString(16).toUpperCase().padStart(8, "0");
  const { node, pid, pstart, starttime, type, id, owner } = parts;
  return `UPID:${node}:${hex(pid)}:${hex(pstart)}:${hex(starttime)}:${type}:${id}:${owner}:`;
}
