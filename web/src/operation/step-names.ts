import type { OperationKind, StepName } from "@berth/protocol";

/** What each step does, in a few words. */
const stepWords: Record<StepName, string> = {
  reserve: "Set a place and an id aside",
  clone: "Clone the template",
  configure: "Give it its size and network",
  start: "Boot the container",
  address: "Wait for its address",
  bootstrap: "Hand over keys and its own identity",
  agent: "Wait for its agent to report",
  workspace: "Fill its workspace",
  ready: "Ready for terminals",
  compare: "Compare both sides",
  transfer: "Transfer what has changed",
  fetch: "Fetch what is new at the remote",
  give: "Bring it into the sandbox",
  take: "Take the sandbox’s commits",
  push: "Push them to the remote",
  share: "Tell the sandbox and the host’s worktree",
  ask: "Ask it whether it may sleep",
  keep: "Copy its unsaved work",
  stop: "Shut the container down",
  delete: "Delete the container and its disk",
  forget: "Remove its keys and tokens",
  change: "Give its container the changed settings",
  snapshot: "Take a snapshot",
  delete_snapshot: "Delete the snapshot",
  rollback: "Go back to the snapshot",
  release: "Remove the snapshot that was taken for the copy",
  debian: "Find Debian’s own template, or download it",
  create: "Create a container from it",
  connect: "Sign in by its pinned SSH host key",
  send: "Send what Berth puts into it",
  provision: "Install and set everything up",
  prove: "Prove that what is in it works",
  convert: "Stop it and make it a template",
  adopt: "Clone new sandboxes from it",
};

/** `kind`: of the work whose step it is. */
export function stepTitle(name: string, kind?: OperationKind): string {
  if (kind === "fork" && name === "clone") return "Clone the sandbox that it is a copy of";
  return Object.entries(stepWords).find(([known]) => known === name)?.[1] ?? name;
}

const kindWords: Record<OperationKind, string> = {
  create: "Creating",
  start: "Starting",
  stop: "Stopping",
  restart: "Restarting",
  sleep: "Putting to sleep",
  wake: "Waking",
  destroy: "Deleting",
  change: "Changing",
  snapshot: "Taking a snapshot of",
  delete_snapshot: "Deleting a snapshot of",
  rollback: "Rolling back",
  fork: "Copying",
  adopt: "Adopting",
  template_build: "Building",
  sync: "Syncing",
  git_push: "Pushing",
  git_fetch: "Fetching",
  git_worktree: "Bringing the host’s worktree up to date",
};

export function operationTitle(kind: OperationKind): string {
  return kindWords[kind];
}
