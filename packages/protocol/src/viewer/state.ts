import type { TerminalExit } from "../attach.ts";

/** What a connection to a terminal is doing. */
export type AttachState =
  /** Not wanted for now: the sandbox does not run. */
  | { readonly phase: "suspended" }
  | { readonly phase: "connecting" }
  | { readonly phase: "connected" }
  /** Connected again after a long cut, with input that was not sent: the user says what becomes of it. */
  | { readonly phase: "holding"; readonly heldBytes: number }
  /** Cut; tries again at `retryAt`, in milliseconds of the connection's clock. */
  | { readonly phase: "waiting"; readonly retryAt: number; readonly reason: string | null }
  | { readonly phase: "exited"; readonly exit: TerminalExit }
  /** The server refused to go on; trying again by itself would not help. */
  | { readonly phase: "failed"; readonly reason: string }
  /** The terminal is no more. */
  | { readonly phase: "gone" }
  | { readonly phase: "signedOut" }
  | { readonly phase: "closed" };

/** What became of typed bytes: sent or kept for sending, or refused and why. */
export type TypingResult = "taken" | "full" | "held" | "ended";

/** Why an upgrade was refused, which a browser does not tell: found out by asking for the terminal itself. */
export type AttachVerdict = "retry" | "gone" | "signedOut";
