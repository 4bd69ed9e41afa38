import type { AgentUpdate, Failure, Sandbox } from "@berth/protocol";
import { FailureNote } from "../ui/failure-note.tsx";
import { useFleetState } from "./context.tsx";

/** How the agent's update fares, in a word or two; nothing where there is none to tell of. */
export function AgentUpdateFact({ sandbox }: { sandbox: Sandbox }) {
  const update = useAgentUpdate(sandbox);
  if (!update) return null;
  return update.state === "updating" ? (
    <span className="fact-step" data-agent-update="updating" title={`to ${update.version}; terminals run on`}>
      agent updating
    </span>
  ) : (
    <span className="fact-warn" data-agent-update="failed" title={`${update.version} did not work here`}>
      agent update rolled back
    </span>
  );
}

/** What became of an update that did not work. */
export function AgentUpdateNote({ sandbox }: { sandbox: Sandbox }) {
  const update = useAgentUpdate(sandbox);
  return update?.state === "failed" ? <FailureNote failure={rolledBack(update)} /> : null;
}

function rolledBack({ version }: AgentUpdate): Failure {
  return {
    code: "conflict",
    message: `The agent’s update to ${version} did not work here and was rolled back. Terminals have run on.`,
    hint: "It is tried again in an hour. What went wrong is in `journalctl -u berth-agent` in the sandbox.",
  };
}

/** The update that there is something to tell of. An agent that says the new version has it, whatever was told before. */
function useAgentUpdate({ id, state, agent }: Sandbox): AgentUpdate | undefined {
  const update = useFleetState().updates.get(id);
  if (!update || update.state === "updated" || state !== "ready") return undefined;
  return agent.connected && agent.version === update.version ? undefined : update;
}
