import Type, { type Static } from "typebox";
import { answerOf, NumberLike, numberOf, optionalNumber } from "../answer.ts";
import { defined } from "../defined.ts";
import { proxmoxError } from "../error.ts";
import { type ParsedUpid, parseUpid } from "../task/upid.ts";
import { type TaskResult, type WaitOptions, waitForTask } from "../task/wait.ts";
import type { CallOptions } from "../transport-options.ts";
import type { Connection } from "./connection.ts";

const StatusSchema = Type.Object({ status: Type.String(), exitstatus: Type.Optional(Type.String()) });

/** Whether a task still runs, and how it ended. */
export interface TaskStatus {
  readonly running: boolean;
  /** `OK`, `WARNINGS: n`, `unexpected status`, or what went wrong; undefined while it runs. */
  readonly exitStatus: string | undefined;
}

/** One line of a task's log. */
export interface TaskLogLine {
  /** Counted from 1. */
  readonly number: number;
  readonly text: string;
}

/** A part of a task's log. */
export interface TaskLogPage {
  readonly lines: readonly TaskLogLine[];
  /** Lines that the whole log has by now. */
  readonly total: number;
}

const ListedSchema = Type.Object({
  upid: Type.String(),
  node: Type.String(),
  type: Type.String(),
  id: Type.Optional(Type.String()),
  user: Type.String(),
  tokenid: Type.Optional(Type.String()),
  starttime: NumberLike,
  endtime: Type.Optional(NumberLike),
  status: Type.Optional(Type.String()),
});

/** A task in a node's list. */
export interface ListedTask {
  readonly upid: string;
  readonly node: string;
  readonly type: string;
  readonly id: string;
  /** `user@realm` or `user@realm!token`. */
  readonly user: string;
  readonly startedAtSeconds: number;
  /** Undefined while it runs. */
  readonly endedAtSeconds: number | undefined;
  /** The exit status; undefined while it runs. */
  readonly exitStatus: string | undefined;
}

/** Which tasks of a node to list. */
export interface TaskFilter {
  readonly vmid?: number | undefined;
  /** `vzclone`, `vzstart`, … */
  readonly type?: string | undefined;
  /** `active` are those that run. Default `archive`, those that ended; `all` is both. */
  readonly source?: "active" | "archive" | "all" | undefined;
  /** Not before this, in seconds since the Unix epoch. */
  readonly sinceSeconds?: number | undefined;
  /** Default 50. */
  readonly limit?: number | undefined;
}

const readStatus = answerOf(StatusSchema);
const readListed = answerOf(Type.Array(ListedSchema));
const readNothing = answerOf(Type.Unknown());
const readLines = answerOf(Type.Array(Type.Object({ n: NumberLike, t: Type.String() })));

/** Tasks; each is asked about on the node that its id names. Own tasks need no privilege. */
export class TasksApi {
  readonly #connection: Connection;
  /** Tasks whose end is waited for now. */
  #waiting = 0;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** How it stands. An unknown id is refused as `invalid`. */
  async status(upid: string, call?: CallOptions): Promise<TaskStatus> {
    const { node } = taskOf(upid);
    const raw = await this.#connection.ask(call, readStatus, (api) => api.nodes.$(node).tasks.$(upid).status.$get());
    return { running: raw.status === "running", exitStatus: raw.status === "running" ? undefined : raw.exitstatus };
  }

  /** Its log from line number `start` (0 is the first) on. The log of an unknown task is empty. */
  async log(upid: string, range: { start: number; limit: number }, call?: CallOptions): Promise<TaskLogPage> {
    const path = `/api2/json/nodes/${taskOf(upid).node}/tasks/${upid}/log`;
    const answer = await this.#connection.transport.call({ ...call, method: "GET", path, params: { ...range } });
    // An unknown task has an object instead of lines.
    const raw = Array.isArray(answer.data) ? readLines(answer.data, answer.call) : [];
    // `total` is absent when it is 0. An empty log is written as one line "no content", for PVE's own web interface.
    const total = answer.total ?? 0;
    const [only] = raw;
    if (total <= 1 && raw.length === 1 && only?.t === "no content") return { lines: [], total: 0 };
    const lines = raw.map((line) => ({ number: numberOf(line.n), text: line.t }));
    return { lines, total: Math.max(total, lines.at(-1)?.number ?? 0) };
  }

  /** Waits for its end and hands on its log; see `waitForTask`. */
  async wait(upid: string, options: WaitOptions = {}): Promise<TaskResult> {
    this.#waiting += 1;
    try {
      const { clock } = this.#connection.transport;
      return await waitForTask(this, upid, { clock, atOnce: () => this.#waiting, ...options });
    } finally {
      this.#waiting -= 1;
    }
  }

  /** The tasks of a node, newest first. Those of others need Sys.Audit. */
  async list(node: string, filter: TaskFilter = {}, call?: CallOptions): Promise<ListedTask[]> {
    const parameters = defined({
      vmid: filter.vmid,
      typefilter: filter.type,
      source: filter.source,
      since: filter.sinceSeconds,
      limit: filter.limit,
    });
    const tasks = await this.#connection.ask(call, readListed, (api) => api.nodes.$(node).tasks.$get(parameters));
    return tasks.map(listedOf);
  }

  /** Asks it to end; a clone that is stopped cleans up after itself (about 3 s). Wait for its end afterwards. */
  async stop(upid: string, call?: CallOptions): Promise<void> {
    const { node } = taskOf(upid);
    await this.#connection.ask(call, readNothing, (api) => api.nodes.$(node).tasks.$(upid).$delete());
  }
}

function taskOf(upid: string): ParsedUpid {
  const task = parseUpid(upid);
  if (!task) throw proxmoxError({ kind: "protocol", detail: `"${upid}" is not a task's id` });
  return task;
}

/** Finished tasks have user and token apart, running ones in one. */
function listedOf(raw: Static<typeof ListedSchema>): ListedTask {
  const ended = raw.endtime !== undefined;
  return {
    upid: raw.upid,
    node: raw.node,
    type: raw.type,
    id: raw.id ?? "",
    user: raw.tokenid && !raw.user.includes("!") ? `${raw.user}!${raw.tokenid}` : raw.user,
    startedAtSeconds: numberOf(raw.starttime),
    endedAtSeconds: optionalNumber(raw.endtime),
    exitStatus: ended ? raw.status : undefined,
  };
}
