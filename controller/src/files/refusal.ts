import { BerthError } from "@berth/protocol";
import type { CloseReason } from "@berth/protocol/link";

/** Why an agent did not do what was asked of the workspace, in the words of the outside contract. */
export function workspaceRefusal({ code, detail = "it said no reason" }: CloseReason): BerthError {
  // What the agent says is shown to the sandbox's owner alone, as text.
  const said = sentence(detail);
  switch (code) {
    case "not_found":
    case "invalid_request":
    case "conflict":
    case "forbidden":
    case "payload_too_large":
      return new BerthError(code, said);
    case "limit_exceeded":
      return new BerthError(code, said, { hint: "Try again when others are done." });
    case "insufficient_storage":
      return new BerthError(code, "The sandbox's disk is full.", {
        hint: "Make room in it, or give it a larger disk.",
      });
    case "exists":
      return new BerthError("conflict", said, { hint: "Choose another name, or ask to overwrite it." });
    case "not_a_folder":
    case "not_a_file":
      return new BerthError("conflict", said, { hint: "Links are not followed: name what they lead to." });
    case "changed":
      return new BerthError("conflict", said, { hint: "Read it again, and decide what to keep." });
    case "too_slow":
      return new BerthError("conflict", said, { hint: "Ask for less at a time." });
    case "missing_program":
      return new BerthError("conflict", said, {
        hint: "Install it in the sandbox; where sandboxes are processes of the controller's machine, on that machine.",
      });
    case "unknown_method":
      return new BerthError("sandbox_not_ready", "The sandbox's agent does not know this call.", {
        hint: "Its agent is older than this Berth: it is updated when the sandbox is ready and idle.",
      });
    default:
      return new BerthError("sandbox_not_ready", `The sandbox's agent did not do it: ${code ?? "ended"}, ${detail}.`, {
        hint: "Try again; restart the sandbox if it stays so.",
      });
  }
}

function sentence(text: string): string {
  const first = `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
