import { backoffMs, type Clock } from "@berth/base";
import { BerthError, type CallInput, parseJson, type Route } from "@berth/protocol";
import { CommandFailed } from "../failure.ts";
import type { Controller } from "../http/controller.ts";
import { parseEvents } from "./parse.ts";

/** An event with its data as JSON, unchecked. */
export interface FollowedEvent {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: unknown;
}

export interface FollowOptions {
  /** Only what came after this event. */
  readonly lastEventId?: string;
  /** The stream is complete with the first event of this name. */
  readonly last?: string;
  /** An end that is not a cut: the server has told all that there is. */
  readonly untilEnd?: boolean;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** The stream was cut and is asked for again; called once a cut. */
  readonly onAway?: () => void;
}

/** How often in a row a cut stream is asked for before it is given up: about a minute. */
const maxFailures = 12;

/**
 * Server-sent events without a gap: a stream that is cut goes on behind the last event. Rejects when the server refuses
 * it for good, or stays away for a minute.
 */
export async function* follow<R extends Route>(
  controller: Controller,
  route: R,
  input: CallInput<R>,
  options: FollowOptions,
): AsyncGenerator<FollowedEvent, void, void> {
  const { signal, clock } = options;
  let lastEventId = options.lastEventId;
  for (let failures = 0; ; ) {
    try {
      const headers = lastEventId === undefined ? {} : { "last-event-id": lastEventId };
      const response = await controller.stream(route, input, { headers, signal });
      if (!response.body) return;
      for await (const { id, event, data } of parseEvents(response.body)) {
        failures = 0;
        lastEventId = id ?? lastEventId;
        yield { id, event, data: parseJson(data) };
        if (event === options.last) return;
      }
      if (options.untilEnd) return;
    } catch (error) {
      signal.throwIfAborted();
      if (isFinal(error) || failures >= maxFailures) throw error;
    }
    if (failures === 0) options.onAway?.();
    await clock.sleep(backoffMs(failures, { firstMs: 500, maxMs: 8_000 }), signal);
    failures += 1;
  }
}

/** A refusal says the same the next time, but for a controller that is about to be ready. */
function isFinal(error: unknown): boolean {
  if (error instanceof BerthError) return error.status < 500;
  // A cut connection; but one that was never there at the beginning is told by the first call of a command.
  return error instanceof CommandFailed && error.code !== "unreachable";
}
