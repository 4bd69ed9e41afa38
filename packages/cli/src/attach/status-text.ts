import type { AttachState } from "@berth/protocol/viewer";

/** The status line of a state; undefined where there is nothing to say. */
export function statusText(state: AttachState, nowMs: number, detachKeys: string): string | undefined {
  const leave = detachKeys === "none" ? "" : ` — ${detachKeys} detaches`;
  switch (state.phase) {
    case "connecting":
      return `berth: connecting again${leave}`;
    case "waiting": {
      const seconds = Math.max(0, Math.ceil((state.retryAt - nowMs) / 1000));
      const why = state.reason === null ? "the connection is away" : state.reason.replace(/\.$/, "");
      return `berth: ${why}; trying again in ${seconds} s${leave}`;
    }
    case "holding": {
      const what = state.heldBytes === 1 ? "one byte was" : `${state.heldBytes} bytes were`;
      return `berth: ${what} typed while the connection was away. Send? y / n`;
    }
    default:
      return undefined;
  }
}
