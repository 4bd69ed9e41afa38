import type { Channel } from "@berth/protocol/link";
import type { Log } from "../../log.ts";
import { listFolder } from "./list.ts";
import { statPaths } from "./stat.ts";
import { WorkspaceTree } from "./tree.ts";
import { WorkspaceCalls, type WorkspaceHandlers } from "./workspace-calls.ts";

export interface WorkspaceOptions {
  /** The workspace's path. */
  path: string;
  log: Log;
}

/** What the controller may do with the workspace: each call by its name. */
export class Workspace {
  readonly #calls: WorkspaceCalls;

  constructor({ path, log }: WorkspaceOptions) {
    const tree = new WorkspaceTree(path);
    const handlers: WorkspaceHandlers = {
      stat: (job) => statPaths(job, tree),
      list: (job, params) => listFolder(job, tree, params),
    };
    this.#calls = new WorkspaceCalls(handlers, log);
  }

  /** Serves a channel of `workspaceChannelKind`. */
  open(channel: Channel, request: unknown): void {
    this.#calls.open(channel, request);
  }
}
