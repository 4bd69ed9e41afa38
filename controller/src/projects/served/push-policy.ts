import { branchNameSchema, type PushPolicy } from "@berth/protocol";
import { Value } from "typebox/value";
import type { RefUpdate } from "./ref-update.ts";

/** Whose push it is. */
export interface Pusher {
  readonly name: string;
  /** The sandbox's own branch. */
  readonly branch: string;
  readonly policy: PushPolicy;
}

const branches = "refs/heads/";
const tags = "refs/tags/";

/**
 * Why a sandbox may not do this to a ref of the remote; undefined: it may. `rewrites` tells whether commits would go that
 * the ref has now, which is known only once the new ones are here.
 */
export function refusedPush(
  { name, branch, policy }: Pusher,
  update: RefUpdate,
  rewrites: boolean,
): string | undefined {
  const short = update.ref.replace(/^refs\/(heads|tags)\//, "");
  if (!update.ref.startsWith(branches) && !update.ref.startsWith(tags)) return "only branches and tags can be pushed";
  if (!Value.Check(branchNameSchema, short)) return "Berth takes no ref of that name";
  if (policy === "none") return `the sandbox ${name} may push nothing`;
  if (policy === "any") return undefined;
  if (!isOwn(update.ref, branch)) return `the sandbox ${name} may push ${branch} and branches ${branch}.* only`;
  if (policy === "own-rewrite") return undefined;
  if (update.to === undefined) return `the sandbox ${name} may not delete branches`;
  return rewrites ? `the sandbox ${name} may not overwrite commits of a branch` : undefined;
}

/** The branch itself, and those that no other sandbox's can be called: a sandbox's name has no dot. */
function isOwn(ref: string, branch: string): boolean {
  return ref === branches + branch || ref.startsWith(`${branches}${branch}.`);
}

/** What the owner can do about a refusal, for people at the sandbox's terminal. */
export function policyHint({ name, policy }: Pusher): string {
  const more = policy === "own" ? "own-rewrite|any" : "own|any";
  return `What a sandbox may push is its owner's to say: berth git allow ${name} ${more}`;
}
