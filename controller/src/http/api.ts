import type { Clock } from "@berth/base";
import type { Route } from "@berth/protocol";
import type { FastifyInstance } from "fastify";
import type { Kysely } from "kysely";
import type { Database } from "../store/tables.ts";
import type { OwnAddress } from "./addresses.ts";
import type { Turns } from "./idempotency.ts";

/** What routes are mounted on: everything below `/api/v1`. */
export interface Api {
  readonly fastify: FastifyInstance;
  readonly db: Kysely<Database>;
  readonly clock: Clock;
  /** The console's own address, for `Host` and `Origin`. */
  readonly address: OwnAddress;
  /** Every route that was mounted, for OpenAPI and for 405. */
  readonly mounted: Route[];
  /** Repetitions of a call, by idempotency key. */
  readonly turns: Turns;
  /** Aborted when the server begins to close: what lasts has to end. */
  readonly closing: AbortSignal;
}
