import { createHash } from "node:crypto";
import type { Payload } from "./payload.ts";
import { provisionScript } from "./provision/provision-script.ts";

/**
 * Names what a template made now would contain: one that says anything else is old. Neither the keys nor what a machine
 * could not fetch belong to it.
 */
export function templateVersion(payload: Payload): string {
  const script = provisionScript({ optional: [], version: "" });
  return createHash("sha256").update(`${payload.version}\n${script}`).digest("hex").slice(0, 16);
}
