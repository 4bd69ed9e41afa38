import type { SandboxState } from "@berth/protocol";
import type { AttachState } from "@berth/protocol/viewer";
import { useNow } from "../api/use-now.ts";

/** What the connection to a terminal is doing, in a word or two. */
export function ConnectionPill({ state, sandbox }: { state: AttachState; sandbox: SandboxState }) {
  const waiting = state.phase === "waiting";
  const now = useNow(500, waiting);
  const seconds = waiting ? Math.ceil((state.retryAt - now) / 1000) : 0;
  return (
    <span className="pill" data-phase={state.phase}>
      <span className="pill-dot" aria-hidden="true" />
      {/* Each second of a countdown is not worth announcing. */}
      <span role="status">{words(state, sandbox)}</span>
      {seconds > 0 && <span aria-hidden="true"> in {seconds} s</span>}
    </span>
  );
}

function words(state: AttachState, sandbox: SandboxState): string {
  switch (state.phase) {
    case "suspended":
      return sandbox === "asleep" ? "Asleep" : sandbox === "ready" ? "Connecting" : "Not running";
    case "connecting":
      return "Connecting";
    case "connected":
    case "holding":
      return "Connected";
    case "waiting":
      return "Reconnecting";
    case "exited":
      return "Exited";
    case "failed":
      return "Refused";
    case "gone":
    case "closed":
      return "Closed";
    case "signedOut":
      return "Signed out";
  }
}
