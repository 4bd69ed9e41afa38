import { randomUUID } from "node:crypto";
import { type RawBuilder, sql } from "kysely";

/**
 * What a row says of what its sandbox's SSH server knows (`access_delivered`): the hash of what that is, once it is
 * certain; null, if it is not known; or that somebody is giving it something. Two may be at it at a time, a bootstrap
 * and a delivery, and nobody sees who of them was the last in the sandbox: so neither states what it brought, if the
 * other one was there meanwhile.
 */
export type AccessDelivered = string | null;

const bootstrapping = "bootstrap";
/** It began while somebody else may have been at it, one that was killed included. */
const bootstrappingInDoubt = "bootstrap in doubt";

/** Whether a bootstrap is under way, for all that is known. */
export function isBootstrapping(known: AccessDelivered): boolean {
  return known === bootstrapping || known === bootstrappingInDoubt;
}

/** What a delivery writes while it is under way; no other writes the same. */
export function newDelivery(): string {
  return `delivery ${randomUUID()}`;
}

const known = sql.ref("sandboxes.access_delivered");

/** To be written before a bootstrap is sent, and before what it brings is read from the database. */
export function bootstrapBegins(): RawBuilder<AccessDelivered> {
  return sql`case when ${known} is null or ${known} ~ '^[0-9a-f]{64}$' then ${bootstrapping} else ${bootstrappingInDoubt} end`;
}

/** To be written in the change that ends a bootstrap; `hash` is of what it has brought, or null. */
export function bootstrapEnded(hash: string | null): RawBuilder<AccessDelivered> {
  return sql`case when ${known} = ${bootstrapping} then ${hash}::text end`;
}
