import { GitFailed } from "../git.ts";
import type { RemoteAccess } from "../remote-access.ts";
import { givenMs, remoteWords } from "../transfers.ts";
import type { CheckedUpdate, RemoteOutcome } from "./serve-push.ts";
import type { View } from "./view.ts";

/**
 * Pushes refs of a view to the remote. What is overwritten or deleted is so only if it is what the sandbox's git was told
 * that it is. Rejects with `GitFailed` where the remote cannot be used.
 */
export async function pushUpdates(
  view: View,
  remote: RemoteAccess,
  updates: readonly CheckedUpdate[],
  signal?: AbortSignal,
): Promise<RemoteOutcome> {
  const leases = updates
    .filter(({ to, rewrites }) => rewrites || to === undefined)
    .map(({ ref, from }) => `--force-with-lease=${ref}:${from ?? ""}`);
  const args = [
    ...["push", "--porcelain", "--progress", "--no-verify", "--no-recurse-submodules", "--no-follow-tags"],
    ...[...remote.pushOptions, ...leases, "--", remote.url],
    ...updates.map(({ ref, to }) => `${to ?? ""}:${ref}`),
  ];
  const told = await view.git(args, { env: remote.env, signal, timeoutMs: givenMs }).catch((error: unknown) => {
    if (error instanceof GitFailed && readOutcome(error.output).size > 0) return error;
    throw error;
  });
  return { refs: readOutcome(told.output), words: remoteWords(told.complaints) };
}

/** Of each ref why it was refused, or null: lines `flag TAB from:to TAB words` of `git push --porcelain`. */
function readOutcome(output: string): Map<string, string | null> {
  const refs = new Map<string, string | null>();
  for (const line of output.split("\n")) {
    const [, flag, ref, words = ""] = /^([ +\-*!=])\t[^\t:]*:([^\t]+)\t(.*)$/.exec(line) ?? [];
    if (ref === undefined) continue;
    refs.set(ref, flag === "!" ? (/\(([^()]{1,300})\)$/.exec(words)?.[1] ?? words.slice(0, 300)) : null);
  }
  return refs;
}
