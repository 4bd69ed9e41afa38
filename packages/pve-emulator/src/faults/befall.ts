import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "@berth/base";
import { type Answer, answerOfError, sendAnswer, sendHalf } from "../http/answer.ts";
import { ApiError, AuthenticationError } from "../http/api-error.ts";
import type { Mishap } from "./fault-rules.ts";

/** One call and its answer. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** What comes before the call is handled. True when it is not to be handled at all. */
export async function befallBefore({ fault, released }: Mishap, exchange: Exchange, clock: Clock): Promise<boolean> {
  const { request, response } = exchange;
  switch (fault.kind) {
    case "status":
      request.resume();
      sendAnswer(response, refusal(fault.status, fault.reason));
      return true;
    case "hang":
      return fault.when !== "after";
    case "late":
      await clock.sleep(fault.ms);
      return false;
    case "cut":
      if (fault.when !== "before") return false;
      request.socket.destroy();
      return true;
    case "hold":
      if (fault.when === "after") return false;
      await aborted(released);
      return request.socket.destroyed;
    case "stale":
    case "task":
      return false;
  }
}

/** What comes once the call has had its effect. True when its answer is not to be sent any more. */
export async function befallAfter(
  { fault, released }: Mishap,
  { request, response }: Exchange,
  answer: Answer,
): Promise<boolean> {
  switch (fault.kind) {
    case "cut":
      if (fault.when === "body") sendHalf(response, answer);
      else request.socket.destroy();
      return true;
    case "hang":
      return true;
    case "hold":
      if (fault.when === "after") await aborted(released);
      return false;
    default:
      return false;
  }
}

/** Refusals as Proxmox words them: 401 and those of its own proxy (59x) have a reason phrase and no body. */
function refusal(status: number, reason: string | undefined): Answer {
  const text = reason ?? usualReasons[status] ?? "fault injected";
  if (status === 401) return answerOfError(new AuthenticationError(text));
  return answerOfError(new ApiError(status, text));
}

/** 595, 596 and 599 are AnyEvent's: no connection to another node, one that broke or timed out, and all else. */
const usualReasons: Readonly<Record<number, string>> = {
  401: "Authentication failed!",
  403: "Permission check failed",
  500: "unable to open file - No space left on device",
  595: "Connection refused",
  596: "Connection timed out",
  599: "Too many redirections",
};

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
