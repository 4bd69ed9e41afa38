import { BerthError } from "@berth/protocol";
import { GitFailed } from "./git.ts";
import type { FetchOptions, MirrorTurn } from "./mirror.ts";
import type { RemoteAccess } from "./remote-access.ts";
import type { SandboxRepository } from "./sandbox-repository.ts";

/** What may come from a sandbox: a pack of so many bytes, which git needs so much memory for. */
export const taken = { maxFileBytes: 8 * 1024 ** 3, maxMemoryBytes: 4 * 1024 ** 3, timeoutMs: 15 * 60_000 } as const;
/** What goes to a remote or a sandbox; whoever is slow has others of the project wait for their turn. */
export const givenMs = 15 * 60_000;

/** The hooks of the sandbox's user are for the user's own pushes. */
const receivePack = "--receive-pack=git -c core.hooksPath=/dev/null receive-pack";

/** The ref of the mirror that has a sandbox's commits. */
export function sandboxRef(sandboxId: string): string {
  return `refs/sandboxes/${sandboxId}/head`;
}

/**
 * Takes the commits of a sandbox's branch into the mirror, checked, and under the sandbox's own ref alone. Answers the
 * branch's commit; undefined: it has none yet.
 */
export async function takeCommits(
  mirror: MirrorTurn,
  repository: SandboxRepository,
  { sandboxId, branch }: { sandboxId: string; branch: string },
  options: FetchOptions = {},
): Promise<string | undefined> {
  const ref = sandboxRef(sandboxId);
  const args = [
    ...["fetch", "--quiet", "--progress", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"],
    ...["--refmap=", "--no-recurse-submodules", "--", repository.url, `+refs/heads/${branch}:${ref}`],
  ];
  try {
    await mirror.git(args, { ...taken, ...options, env: repository.env });
  } catch (error) {
    if (error instanceof GitFailed && /couldn't find remote ref/.test(error.complaints)) return undefined;
    throw error;
  }
  return mirror.resolve(ref);
}

/** Gives a sandbox what the remote has, as `origin/*` and tags, and more refs if there are any. */
export async function giveCommits(
  mirror: MirrorTurn,
  repository: SandboxRepository,
  more: readonly string[] = [],
  options: FetchOptions = {},
): Promise<void> {
  const known = await mirror.git(["for-each-ref", "--count=1", "refs/remotes/origin", "refs/tags"]);
  const refs =
    known.output === "" ? more : ["+refs/remotes/origin/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*", ...more];
  if (refs.length === 0) return;
  const args = [
    "push",
    "--quiet",
    "--progress",
    "--no-verify",
    "--no-recurse-submodules",
    receivePack,
    "--",
    repository.url,
    ...refs,
  ];
  await mirror.git(args, { ...options, env: repository.env, timeoutMs: givenMs });
}

/** A push to a remote. */
export interface RemotePush {
  readonly commit: string;
  /** On the remote. */
  readonly branch: string;
  /** Overwrite what is there, if it is what the mirror saw last. */
  readonly force: boolean;
}

/** Pushes a commit to the remote. Throws `push_rejected`, or `GitFailed` when the remote cannot be used. */
export async function pushToRemote(
  mirror: MirrorTurn,
  remote: RemoteAccess,
  { commit, branch, force }: RemotePush,
  options: FetchOptions = {},
): Promise<{ state: "pushed" | "up_to_date"; messages: string[] }> {
  const ref = `refs/heads/${branch}`;
  const seen = (await mirror.resolve(`refs/remotes/origin/${branch}`)) ?? "";
  const args = [
    ...["push", "--porcelain", "--progress", "--no-verify", "--no-recurse-submodules", "--no-follow-tags"],
    ...remote.pushOptions,
    ...(force ? [`--force-with-lease=${ref}:${seen}`] : []),
    ...["--", remote.url, `${commit}:${ref}`],
  ];
  const told = { output: "", complaints: "" };
  try {
    Object.assign(told, await mirror.git(args, { ...options, env: remote.env, timeoutMs: givenMs }));
  } catch (error) {
    if (error instanceof GitFailed) throw rejection(error, branch) ?? error;
    throw error;
  }
  await mirror.setRef(`refs/remotes/origin/${branch}`, commit);
  return { state: /^=\t/m.test(told.output) ? "up_to_date" : "pushed", messages: remoteWords(told.complaints) };
}

/** Undefined: git did not even get that far. */
function rejection(error: GitFailed, branch: string): BerthError | undefined {
  const reason = /^!\t[^\t]*\t\[(?:remote )?rejected\] \(([^\n]{1,300})\)$/m.exec(error.output)?.[1];
  if (reason === undefined) return undefined;
  const behind = /fetch first|non-fast-forward/.test(reason);
  const words = remoteWords(error.complaints).join(" ").slice(0, 500);
  const detail = behind
    ? `The remote's branch ${branch} has commits that the sandbox's has not.`
    : /stale info/.test(reason)
      ? `The remote's branch ${branch} has changed since Berth saw it last.`
      : `The remote refused the branch ${branch}: ${reason}.${words === "" ? "" : ` It said: ${words}`}`;
  const hint = behind
    ? "Fetch them, merge or rebase in the sandbox, and push again; or push with force, which overwrites them."
    : /stale info/.test(reason)
      ? "Fetch, look at what is new, then push again."
      : "Look at the remote's rules for this branch, or push under another name.";
  return new BerthError("push_rejected", detail, { hint, cause: error });
}

/** What the remote itself said. */
export function remoteWords(complaints: string): string[] {
  const lines = complaints.split("\n").map((line) => /^remote: +(.*)$/.exec(line)?.[1]?.trim() ?? "");
  return lines.filter((line) => line !== "").slice(0, 20);
}
