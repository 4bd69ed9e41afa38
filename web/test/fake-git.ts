import * as protocol from "@berth/protocol";
import {
  BerthError,
  type GitCommit,
  type GitFileDiff,
  type GitFileStatus,
  type Operation,
  type Route,
} from "@berth/protocol";
import { Value } from "typebox/value";

type Handler = (query: URLSearchParams, json: unknown) => unknown;

/** A repository at the root of the workspace, whose changes are what a test says. */
export class FakeGit {
  /** False: there is none. */
  exists = true;
  files: GitFileStatus[] = [];
  commits: GitCommit[] = [];
  ahead = 0;
  /** What the remote says to a push. */
  refusal: BerthError | undefined;
  /** Diffs that are not of one changed line. */
  readonly diffs = new Map<string, Partial<GitFileDiff>>();

  change(path: string, more: Partial<GitFileStatus> = {}): void {
    this.files.push({ path, state: "changed", staged: null, unstaged: "modified", ...more });
  }

  handlers(textOf: (path: string) => string): readonly (readonly [Route, Handler])[] {
    return [
      [protocol.gitStatus, () => this.#status()],
      [protocol.gitDiff, (query) => this.#diff(query, textOf)],
      [protocol.gitLog, () => ({ items: this.commits, nextCursor: null })],
      [protocol.gitStage, (_, json) => this.#move(json, "unstaged", "staged")],
      [protocol.gitUnstage, (_, json) => this.#move(json, "staged", "unstaged")],
      [protocol.gitDiscard, (_, json) => this.#discard(json)],
      [protocol.gitCommit, (_, json) => this.#commit(json)],
      [
        protocol.getSandboxProject,
        () => ({ project, branch: "berth/work", baseBranch: "main", commit: null, push: "own" }),
      ],
      [protocol.gitPush, () => this.#push()],
    ];
  }

  #status() {
    if (!this.exists) throw new BerthError("not_found", "There is no git repository.");
    const commit = this.commits[0]?.commit ?? null;
    const upstream = { upstream: "origin/main", ahead: this.ahead, behind: 1 };
    return { root: "", branch: { name: "berth/work", commit, ...upstream }, files: this.files, truncated: false };
  }

  #diff(query: URLSearchParams, textOf: (path: string) => string) {
    const path = query.get("path") ?? "";
    const lines = [" the first line", "-what it was before", `+${textOf(path).split("\n")[0]}`];
    const modes = { oldMode: "100644", newMode: "100644" };
    const diff: GitFileDiff = {
      path,
      status: "modified",
      ...modes,
      conflicted: false,
      binary: false,
      tooLarge: false,
      additions: 1,
      deletions: 1,
      hunks: [{ oldStart: 7, oldLines: 2, newStart: 7, newLines: 2, header: "function main()", lines }],
      ...this.diffs.get(path),
    };
    return { root: "", files: [diff], truncated: false };
  }

  #move(json: unknown, from: "staged" | "unstaged", to: "staged" | "unstaged") {
    const paths = pathsOf(json);
    this.files = this.files.map((file) => {
      if (!paths.includes(file.path)) return file;
      if (file.state === "untracked") return { ...file, state: "changed", staged: "added", unstaged: null };
      return { ...file, state: "changed", [to]: file[from] ?? "modified", [from]: null };
    });
    return { root: "" };
  }

  #discard(json: unknown) {
    const paths = pathsOf(json);
    this.files = this.files.filter(({ path }) => !paths.includes(path));
    return { root: "", files: paths.length, kept: ".berth/discarded/2026-11-21T10-00-00Z" };
  }

  #commit(json: unknown) {
    const message = Value.Check(protocol.gitCommit.body, json) ? (json.message ?? "") : "";
    const person = { name: "Ada", email: "ada@example.org", at: "2026-11-21T10:00:00.000Z" };
    const commit = String(this.commits.length + 1).repeat(40);
    const parents = this.commits.slice(0, 1).map((parent) => parent.commit);
    const refs = ["refs/heads/berth/work"];
    this.commits = [
      { commit, parents, author: person, committer: person, refs, subject: message, body: "" },
      ...this.commits,
    ];
    this.files = this.files
      .map((file) => ({ ...file, staged: null }))
      .filter(({ unstaged, state }) => unstaged || state === "untracked");
    this.ahead += 1;
    return { root: "", commit };
  }

  #push() {
    if (this.refusal) {
      const { code, message, hint } = this.refusal;
      return { operation: pushed("failed", { code, message, ...(hint === undefined ? {} : { hint }) }, null) };
    }
    this.ahead = 0;
    const worktree = { path: "/srv/worktrees/work", commit: null, state: "current" };
    const messages = ["remote: Create a pull request on example.org"];
    const commit = this.commits[0]?.commit ?? "";
    const branches = { branch: "berth/work", remoteBranch: "berth/work" };
    return { operation: pushed("succeeded", null, { ...branches, commit, state: "pushed", messages, worktree }) };
  }
}

const project = {
  id: protocol.newId("project"),
  url: "https://example.org/a/b.git",
  defaultBranch: "main",
  credential: true,
  fetchedAt: null,
  createdAt: "2026-11-21T10:00:00.000Z",
};

/** A push that has ended. */
function pushed(state: Operation["state"], error: Operation["error"], result: Operation["result"]): Operation {
  const at = "2026-11-21T10:00:00.000Z";
  const of = { id: protocol.newId("operation"), kind: "git_push", sandboxId: null, sandboxName: "work" } as const;
  return { ...of, state, steps: [], error, result, createdAt: at, finishedAt: at };
}

function pathsOf(json: unknown): readonly string[] {
  return Value.Check(protocol.gitStage.body, json) ? (json.paths ?? []) : [];
}
