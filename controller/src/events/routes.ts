import { fleetEvents } from "@berth/protocol";
import type { Api } from "../http/api.ts";
import type { EventLog } from "./log.ts";
import { asServerEvents, mountEvents } from "./sse.ts";

/** `GET /events`: facts of the caller's fleet, from now on or from where `Last-Event-ID` says; with `follow=false`, up to now. */
export function eventRoutes(api: Api, log: EventLog): void {
  mountEvents(api, fleetEvents, async ({ caller, query, lastEventId, signal }) => {
    // Before the answer begins: whoever lists sandboxes once the stream is open misses nothing in between.
    const afterSeq = lastEventId ?? (await log.head());
    return asServerEvents(
      log.stream({ ownerId: caller.user.id, afterSeq, backlogOnly: query.follow === false }, signal),
    );
  });
}
