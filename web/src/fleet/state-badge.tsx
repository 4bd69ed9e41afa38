import type { SandboxState } from "@berth/protocol";
import "./state-badge.css";

const words: Record<SandboxState, string> = {
  provisioning: "Provisioning",
  ready: "Ready",
  stopped: "Stopped",
  stopping: "Stopping",
  starting: "Starting",
  asleep: "Asleep",
  destroying: "Deleting",
  failed: "Failed",
};

/** A sandbox's state, in a word and a colour. */
export function StateBadge({ state }: { state: SandboxState }) {
  return (
    <span className="state-badge" data-state={state}>
      {words[state]}
    </span>
  );
}
