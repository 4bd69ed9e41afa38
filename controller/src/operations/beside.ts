import type { OperationKind } from "@berth/protocol";

/** Git's work between a sandbox, the host and a remote. */
export const gitOperationKinds = ["git_push", "git_fetch", "git_worktree"] as const satisfies readonly OperationKind[];
export type GitOperationKind = (typeof gitOperationKinds)[number];

/** Kinds of work that go on beside what the reconciler does with a sandbox. */
export const besideKinds = ["sync", ...gitOperationKinds] as const satisfies readonly OperationKind[];

/** The same as a list of literals for SQL. */
export const besideList = besideKinds.map((kind) => `'${kind}'`).join(", ");

export function isGitOperation(kind: OperationKind): kind is GitOperationKind {
  return gitOperationKinds.some((one) => one === kind);
}
