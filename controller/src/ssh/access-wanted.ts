import { createHash } from "node:crypto";
import { signHostCertificate } from "@berth/base/node";
import type { FleetKeys } from "../fleet/keys.ts";
import type { SandboxRow } from "../sandboxes/record.ts";

/** What of a sandbox's row its certificate says. */
export type CertifiedRow = Pick<SandboxRow, "id" | "name" | "address">;

/** What a sandbox's SSH server is to know: who may sign in, and by which names it is itself known. */
export interface WantedAccess {
  /** The lines of its `authorized_keys`. */
  readonly authorizedKeys: readonly string[];
  /** Its host certificate, one line. */
  readonly certificate: string;
  /** The same for the same wish, so that one sees whether a sandbox has it. */
  readonly hash: string;
}

const dayMs = 24 * 3_600_000;
/** A certificate is renewed so often, and good for three times as long: a name may be another sandbox's later. */
const periodMs = 30 * dayMs;
const validPeriods = 3;

/** The names under which a sandbox may show its host key. */
export function principalsOf({ id, name, address }: CertifiedRow): string[] {
  return [name, id, ...(address === null ? [] : [address])];
}

/** What a sandbox is to have at this time, in milliseconds since the Unix epoch. */
export function wantedAccess(keys: FleetKeys, row: CertifiedRow, people: readonly string[], now: number): WantedAccess {
  const principals = principalsOf(row);
  const period = Math.floor(now / periodMs);
  // A day before its period: a sandbox's clock may be behind.
  const validAfter = (period * periodMs - dayMs) / 1000;
  const validBefore = ((period + validPeriods) * periodMs) / 1000;
  const authorizedKeys = [keys.sshClient.publicKey, ...[...people].sort()];
  const certificate = signHostCertificate(keys.hostAuthority, {
    publicKey: keys.hostKey(row.id).publicKey,
    keyId: `${row.name} (${row.id})`,
    principals,
    validAfter,
    validBefore,
  });
  const said = JSON.stringify([authorizedKeys, principals, validAfter, validBefore, keys.hostAuthority.publicKey]);
  return { authorizedKeys, certificate, hash: createHash("sha256").update(said).digest("hex") };
}
