import {
  type Client,
  type Failure,
  type GitCommit,
  getSandboxProject,
  gitCommit,
  gitDiscard,
  gitLog,
  gitPush,
  gitStage,
  gitStatus,
  gitUnstage,
  type Operation,
  type PushResult,
  pushResultSchema,
  type RouteResult,
  randomKey,
  type SandboxProject,
} from "@berth/protocol";
import { Value } from "typebox/value";
import { describeError } from "../api/describe-error.ts";
import { Store } from "../api/store.ts";
import type { WorkspacePlace } from "../files/place.ts";
import { endOf } from "../operation/end-of.ts";

export type Status = RouteResult<typeof gitStatus>;

export interface RepositoryState {
  /** As it was told last; undefined until then. */
  readonly status: Status | undefined;
  readonly loading: boolean;
  /** The folder lies in no repository. */
  readonly none: boolean;
  readonly failure: Failure | null;
  /** The project that the workspace was made from: the controller can push to its remote. Null: it is none's. */
  readonly project: SandboxProject | null;
  readonly log: Log;
}

/** The newest commits. */
export interface Log {
  readonly commits: readonly GitCommit[];
  readonly cursor: string | null;
  readonly failure: Failure | null;
}

/** Paths that one call takes. */
const pathsAtOnce = 5000;
const commitsAtOnce = 30;

/** A repository in a sandbox: what has changed in it, and what is done about it. Its calls reject with `BerthError`. */
export class Repository {
  readonly state = new Store<RepositoryState>({
    status: undefined,
    loading: true,
    none: false,
    failure: null,
    project: null,
    log: { commits: [], cursor: null, failure: null },
  });
  readonly #api: Client;
  readonly #params: { id: string };
  readonly #path: string;
  readonly #ofProject: boolean;
  #looking: Promise<void> | undefined;
  #again = false;

  /**
   * @param path The repository's folder, or one in it; empty: the workspace.
   * @param ofProject The workspace was made from a git project.
   */
  constructor(api: Client, sandboxId: string, path: string, ofProject: boolean) {
    this.#api = api;
    this.#params = { id: sandboxId };
    this.#path = path;
    this.#ofProject = ofProject;
  }

  /** Looks what has changed. However often it is called meanwhile, it looks once more. */
  async refresh(): Promise<void> {
    if (this.#looking) {
      this.#again = true;
      return this.#looking;
    }
    this.#looking = this.#look();
    await this.#looking;
  }

  /** Takes changes into the index. */
  async stage(places: readonly WorkspacePlace[]): Promise<void> {
    await this.#inParts(places, (body) => this.#api.call(gitStage, { params: this.#params, body }));
  }

  /** Takes changes out of the index. */
  async unstage(places: readonly WorkspacePlace[]): Promise<void> {
    await this.#inParts(places, (body) => this.#api.call(gitUnstage, { params: this.#params, body }));
  }

  /** Throws changes away; answers the folders in the workspace where they are kept. */
  async discard(places: readonly WorkspacePlace[]): Promise<readonly string[]> {
    const kept: string[] = [];
    await this.#inParts(places, async (body) => {
      const answer = await this.#api.call(gitDiscard, { params: this.#params, body });
      if (answer.kept !== null) kept.push(answer.kept);
    });
    return kept;
  }

  /** Commits what is staged. */
  async commit(message: string): Promise<void> {
    await this.#api.call(gitCommit, { params: this.#params, body: { path: this.#path, message } });
    await this.refresh();
  }

  /** Has the controller push the branch to the project's remote, and tells how that goes. */
  async push(onLook: (operation: Operation) => void): Promise<PushResult> {
    const options = { idempotencyKey: `push-${randomKey()}` };
    const { operation } = await this.#api.call(gitPush, { params: this.#params, body: {} }, options);
    const { result } = await endOf(this.#api, operation, onLook);
    if (!Value.Check(pushResultSchema, result)) throw new TypeError("a push does not say what came of it");
    await this.refresh();
    return result;
  }

  /** Reads older commits. */
  async moreLog(): Promise<void> {
    const { cursor, commits } = this.state.get().log;
    if (cursor === null) return;
    const page = await this.#logPage(cursor);
    this.#set({ log: { commits: [...commits, ...page.items], cursor: page.nextCursor, failure: null } });
  }

  async #inParts(places: readonly WorkspacePlace[], act: (body: PathsBody) => Promise<unknown>): Promise<void> {
    try {
      for (let at = 0; at < places.length; at += pathsAtOnce) await act(bodyOf(places.slice(at, at + pathsAtOnce)));
    } finally {
      await this.refresh();
    }
  }

  async #look(): Promise<void> {
    this.#set({ loading: true });
    try {
      const before = this.state.get().status;
      const status = await this.#api.call(gitStatus, { params: this.#params, query: { path: this.#path } });
      this.#set({ status, none: false, failure: null, loading: false });
      if (!before || before.branch.commit !== status.branch.commit) await this.#lookAtCommits(status);
    } catch (error) {
      const failure = describeError(error);
      const none = failure.code === "not_found";
      this.#set({ loading: false, none, failure: none ? null : failure, ...(none ? { status: undefined } : {}) });
    }
    this.#looking = undefined;
    if (!this.#again) return;
    this.#again = false;
    await this.refresh();
  }

  /** The commits, and the project, whose branch is the one that is pushed. */
  async #lookAtCommits(status: Status): Promise<void> {
    const isProject = this.#ofProject && status.root === "";
    const project = isProject
      ? await this.#api.call(getSandboxProject, { params: this.#params }).catch(() => null)
      : null;
    this.#set({ project });
    try {
      const page = status.branch.commit === null ? { items: [], nextCursor: null } : await this.#logPage(undefined);
      this.#set({ log: { commits: page.items, cursor: page.nextCursor, failure: null } });
    } catch (error) {
      this.#set({ log: { commits: [], cursor: null, failure: describeError(error) } });
    }
  }

  #logPage(cursor: string | undefined) {
    const query = { path: this.#path, limit: commitsAtOnce, ...(cursor === undefined ? {} : { cursor }) };
    return this.#api.call(gitLog, { params: this.#params, query });
  }

  #set(change: Partial<RepositoryState>): void {
    this.state.update((state) => ({ ...state, ...change }));
  }
}

interface PathsBody {
  paths: string[];
  pathsBytes: string[];
}

function bodyOf(places: readonly WorkspacePlace[]): PathsBody {
  const body: PathsBody = { paths: [], pathsBytes: [] };
  for (const { path, pathBytes } of places) {
    if (pathBytes === undefined) body.paths.push(path);
    else body.pathsBytes.push(pathBytes);
  }
  return body;
}
