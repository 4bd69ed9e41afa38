import { rm } from "node:fs/promises";
import { BerthError } from "@berth/protocol";
import {
  type Channel,
  ChannelBytes,
  ChannelClosed,
  type GitRemoteParams,
  gitRemoteLimits,
  gitRemoteParamsSchema,
} from "@berth/protocol/link";
import type { FastifyBaseLogger } from "fastify";
import { Value } from "typebox/value";
import type { SandboxRow } from "../../sandboxes/record.ts";
import { remoteError } from "../failures.ts";
import type { Git } from "../git.ts";
import type { Mirrors, ProjectTurn } from "../mirrors.ts";
import { type ProjectPlaces, type ProjectSandbox, projectSandbox } from "../place.ts";
import { sandboxRef } from "../transfers.ts";
import { bringWorktree } from "../worktree.ts";
import { pushUpdates } from "./push-updates.ts";
import { serveFetch } from "./serve-fetch.ts";
import { type CheckedUpdate, type RemoteOutcome, servePush } from "./serve-push.ts";
import { View } from "./view.ts";

export interface SandboxRemotesDependencies {
  readonly git: Git;
  /** For views; what a controller that was killed has left there is removed. */
  readonly folder: string;
  readonly mirrors: Mirrors;
  readonly places: ProjectPlaces;
  readonly log: FastifyBaseLogger;
  find(sandboxId: string): Promise<SandboxRow | undefined>;
}

/**
 * The remotes of projects as the gits in sandboxes reach them: by their agents' links, each the one that its sandbox was
 * made from and no other, with credentials that stay here.
 */
export class SandboxRemotes {
  readonly #deps: SandboxRemotesDependencies;
  readonly #open = new Map<string, Set<ChannelBytes>>();
  readonly #over = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #emptied: Promise<void> | undefined;

  constructor(dependencies: SandboxRemotesDependencies) {
    this.#deps = dependencies;
  }

  /** Serves a channel of `gitRemoteChannelKind`. */
  open(sandboxId: string, channel: Channel, params: unknown): void {
    const open = this.#open.get(sandboxId) ?? new Set();
    if (!Value.Check(gitRemoteParamsSchema, params)) {
      channel.close({ code: "invalid_request", detail: "the parameters are not valid" });
    } else if (this.#over.signal.aborted) {
      channel.close({ code: "link_closed" });
    } else if (open.size >= gitRemoteLimits.channels) {
      const detail = `no more than ${gitRemoteLimits.channels} gits of a sandbox speak with the remote at a time; try again`;
      channel.close({ code: "limit_exceeded", detail });
    } else {
      const bytes = new ChannelBytes(channel);
      this.#open.set(sandboxId, open.add(bytes));
      const running = this.#serve(sandboxId, bytes, params).finally(() => {
        this.#running.delete(running);
        open.delete(bytes);
        if (open.size === 0) this.#open.delete(sandboxId);
      });
      this.#running.add(running);
    }
  }

  /** Ends every conversation, and waits for what they do. */
  async stop(): Promise<void> {
    this.#over.abort(new Error("the controller stops"));
    for (const open of this.#open.values()) for (const bytes of open) bytes.close({ code: "link_closed" });
    await Promise.all(this.#running);
  }

  async #serve(sandboxId: string, bytes: ChannelBytes, params: GitRemoteParams): Promise<void> {
    const { log } = this.#deps;
    try {
      const { sandbox, row } = await this.#sandbox(sandboxId);
      const view = await this.#view(sandbox, bytes, params);
      try {
        if (params.service === "upload-pack") await serveFetch(this.#deps.git, view, bytes);
        else await this.#servePush(sandbox, row, bytes, view);
      } finally {
        await view.dispose();
      }
      bytes.close();
    } catch (error) {
      if (!(error instanceof ChannelClosed) && !(error instanceof BerthError)) {
        log.info({ sandboxId, err: error }, "a git in a sandbox was broken off");
      }
      bytes.close({ code: "failed", detail: toldReason(error) });
    }
  }

  async #sandbox(sandboxId: string): Promise<{ sandbox: ProjectSandbox; row: SandboxRow }> {
    const row = await this.#deps.find(sandboxId);
    const sandbox = row && projectSandbox(row);
    if (row && sandbox) return { sandbox, row };
    throw new BerthError("conflict", "this sandbox was not made from a git project");
  }

  async #view(sandbox: ProjectSandbox, bytes: ChannelBytes, { url }: GitRemoteParams): Promise<View> {
    const { git, folder, mirrors } = this.#deps;
    this.#emptied ??= rm(folder, { recursive: true, force: true });
    await this.#emptied;
    return mirrors.turn(sandbox.projectId, async (turn) => {
      bytes.signal.throwIfAborted();
      if (url !== turn.project.url) throw otherUrl(url, turn.project.url);
      const head = await translated(() => turn.fetch({ signal: bytes.signal }));
      return View.open({ git, folder }, turn.mirror, head);
    });
  }

  #servePush(sandbox: ProjectSandbox, row: SandboxRow, bytes: ChannelBytes, view: View): Promise<void> {
    const { git, mirrors } = this.#deps;
    const pusher = { name: sandbox.name, branch: sandbox.branch, policy: row.git_push };
    // Once it is on its way to the remote it is no matter whether who pushes still waits.
    const toRemote = (updates: readonly CheckedUpdate[]) =>
      mirrors
        .turn(sandbox.projectId, (turn) => this.#toRemote(turn, sandbox, view, updates))
        .catch((error: unknown) => unavailable(updates, error));
    return servePush({ git, view, pusher, bytes, toRemote });
  }

  async #toRemote(
    turn: ProjectTurn,
    sandbox: ProjectSandbox,
    view: View,
    updates: readonly CheckedUpdate[],
  ): Promise<RemoteOutcome> {
    const { log } = this.#deps;
    const remote = await turn.remote();
    const outcome = await translated(() => pushUpdates(view, remote, updates, this.#over.signal));
    const pushed = updates.filter(({ ref }) => outcome.refs.get(ref) === null);
    log.info({ sandboxId: sandbox.id, refs: pushed.map(({ ref }) => ref) }, "a sandbox has pushed");
    await this.#remember(turn, sandbox, view, pushed).catch((err: unknown) =>
      log.warn({ sandboxId: sandbox.id, err }, "what a sandbox has pushed was not noted; the next fetch brings it"),
    );
    return outcome;
  }

  /** The mirror learns what the remote has now, and the host's worktree what its sandbox has pushed. */
  async #remember(
    { mirror }: ProjectTurn,
    sandbox: ProjectSandbox,
    view: View,
    pushed: readonly CheckedUpdate[],
  ): Promise<void> {
    const own = `refs/heads/${sandbox.branch}`;
    const there = pushed.filter(({ to }) => to !== undefined);
    const specs = there.map(({ ref }) => `+${ref}:${ref.replace(/^refs\/heads\//, "refs/remotes/origin/")}`);
    if (there.some(({ ref }) => ref === own)) specs.push(`+${own}:${sandboxRef(sandbox.id)}`);
    if (specs.length > 0) {
      const quiet = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--refmap="];
      await mirror.git([...quiet, "--", view.folder, ...specs], { env: { GIT_ALLOW_PROTOCOL: "file" } });
    }
    for (const { ref, to } of pushed) {
      if (to === undefined) await mirror.deleteRef(ref.replace(/^refs\/heads\//, "refs/remotes/origin/"));
    }
    const commit = there.find(({ ref }) => ref === own)?.to;
    if (commit !== undefined) await bringWorktree(mirror, this.#deps.places.worktree(sandbox), commit);
  }
}

async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw remoteError(error);
  }
}

function unavailable(updates: readonly CheckedUpdate[], error: unknown): RemoteOutcome {
  const refs = new Map(updates.map(({ ref }) => [ref, "the remote cannot be used"]));
  return { refs, words: [toldReason(error)] };
}

function otherUrl(asked: string, url: string): BerthError {
  return new BerthError("forbidden", `only ${url} is reached by way of the controller, not ${asked.slice(0, 300)}`, {
    hint: "To reach it by the sandbox's own means: git config --unset remote.origin.vcs.",
  });
}

function toldReason(error: unknown): string {
  if (error instanceof BerthError) return [error.message, error.hint].filter((text) => text !== undefined).join(" ");
  return error instanceof Error ? error.message : "the controller could not do it";
}
