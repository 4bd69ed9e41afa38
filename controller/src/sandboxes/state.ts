import { type SandboxState, sandboxStates } from "@berth/protocol";

/** Whether a text from the database is a sandbox's state. */
export function isSandboxState(text: string): text is SandboxState {
  return sandboxStates.some((state) => state === text);
}
