import { type AwaitedScreen, BerthError, type ScreenWaitParams } from "@berth/protocol";
import { awaitedScreenSchema, CallFailure, type Channel, screenWaitChannelKind } from "@berth/protocol/link";
import { Compile } from "typebox/compile";
import type { AgentLink } from "../agents/link.ts";
import { asBerthError } from "./keeper.ts";

const awaitedScreen = Compile(awaitedScreenSchema);

/** How long behind its time an answer may come, in milliseconds: an agent that never answers holds nobody longer. */
const graceMs = 5_000;

/** Why a wait could not be brought to its end by no fault of the caller's or the agent's. */
export interface WaitEnds {
  /** The caller has gone. */
  readonly gone: AbortSignal;
  /** The server closes. */
  readonly closing: AbortSignal;
}

/**
 * Waits in the sandbox for what a screen is to show, on a channel of its own, so that a caller who goes ends the wait
 * there, too. Throws `BerthError`: `sandbox_not_ready` when the link, the agent or the PTY host goes meanwhile,
 * `limit_exceeded` when too many wait, `not_ready` when the server closes.
 */
export async function awaitScreen(link: AgentLink, params: ScreenWaitParams, ends: WaitEnds): Promise<AwaitedScreen> {
  const channel = link.openChannel(screenWaitChannelKind, params);
  const over = new AbortController();
  const stop = AbortSignal.any([ends.gone, ends.closing, over.signal]);
  const timer = setTimeout(() => over.abort(), params.timeoutMs + graceMs);
  try {
    return await asBerthError(answerOn(channel, stop, () => stopReason(ends)));
  } finally {
    clearTimeout(timer);
    channel.close();
    // Lets go of the signals, of which one lasts as long as the server.
    over.abort();
  }
}

function answerOn(channel: Channel, stop: AbortSignal, reason: () => Error): Promise<AwaitedScreen> {
  return new Promise((resolve, reject) => {
    channel.handle({
      onMessage: (message) => {
        if (awaitedScreen.Check(message)) resolve(message);
        else reject(new CallFailure("invalid_result", "its answer does not fit"));
      },
      onClose: ({ code = "no_answer", detail }) => reject(new CallFailure(code, detail ?? code.replaceAll("_", " "))),
    });
    const stopped = () => reject(reason());
    if (stop.aborted) stopped();
    stop.addEventListener("abort", stopped, { once: true });
  });
}

function stopReason({ gone, closing }: WaitEnds): Error {
  if (closing.aborted) {
    return new BerthError("not_ready", "The controller is stopping.", { hint: "Ask again in a moment." });
  }
  // Nobody reads it.
  if (gone.aborted) return new BerthError("invalid_request", "The caller has gone.");
  return new CallFailure("timeout", "the wait was not answered in its time");
}
