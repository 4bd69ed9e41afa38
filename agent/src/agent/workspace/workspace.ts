import { SerialQueue } from "@berth/base";
import type { Channel } from "@berth/protocol/link";
import type { Log } from "../../log.ts";
import { type GitWriting, gitCommit, gitStage, gitUnstage } from "../git/change.ts";
import { gitDiscard } from "../git/discard.ts";
import { gitDiff, gitLog, gitStatus } from "../git/look.ts";
import { gitUnsaved } from "../git/unsaved.ts";
import { pack } from "./archive/pack.ts";
import { unpack } from "./archive/unpack.ts";
import { makeFolder, move, remove } from "./change.ts";
import { listFolder } from "./list.ts";
import { readFile } from "./read.ts";
import { search } from "./search.ts";
import { Staging } from "./staging.ts";
import { statPaths } from "./stat.ts";
import { WorkspaceTree } from "./tree.ts";
import { watchTree } from "./watch.ts";
import { WorkspaceCalls, type WorkspaceHandlers } from "./workspace-calls.ts";
import { type Writing, writeFile } from "./write.ts";

export interface WorkspaceOptions {
  /** The workspace's path. */
  path: string;
  /** The environment of git and of the search, as it is now: who the user is, and where programs are found. */
  environment(): Readonly<Record<string, string>>;
  log: Log;
}

/** What the controller may do with the workspace: each call by its name. */
export class Workspace {
  readonly #calls: WorkspaceCalls;

  constructor({ path, environment, log }: WorkspaceOptions) {
    const tree = new WorkspaceTree(path);
    const writing: Writing = { tree, staging: new Staging(path), changes: new SerialQueue() };
    const git: GitWriting = { tree, environment, turns: new SerialQueue() };
    const handlers: WorkspaceHandlers = {
      stat: (job) => statPaths(job, tree),
      list: (job, params) => listFolder(job, tree, params),
      read: (job, params) => readFile(job, tree, params),
      write: (job, params) => writeFile(job, writing, params),
      remove: (job, params) => remove(job, writing, params),
      makeFolder: (job, params) => makeFolder(job, writing, params),
      move: (job, params) => move(job, writing, params),
      pack: (job, params) => pack(job, tree, params),
      unpack: (job, params) => unpack(job, writing, params),
      search: (job, params) => search(job, { tree, env: environment() }, params),
      watch: (job, params) => watchTree(job, tree, params),
      gitStatus: (job, params) => gitStatus(job, git, params),
      gitUnsaved: (job) => gitUnsaved(job, git),
      gitDiff: (job, params) => gitDiff(job, git, params),
      gitLog: (job, params) => gitLog(job, git, params),
      gitStage: (job, params) => gitStage(job, git, params),
      gitUnstage: (job, params) => gitUnstage(job, git, params),
      gitDiscard: (job, params) => gitDiscard(job, git, params),
      gitCommit: (job, params) => gitCommit(job, git, params),
    };
    this.#calls = new WorkspaceCalls(handlers, log);
  }

  /** Serves a channel of `workspaceChannelKind`. */
  open(channel: Channel, request: unknown): void {
    this.#calls.open(channel, request);
  }
}
