import { claudeSuffix, gatewayUser, idSchema, nameSchema } from "@berth/protocol";
import { Value } from "typebox/value";

/** What a user name asks for. */
export type Login =
  /** The gateway itself: to list sandboxes, and to jump through. */
  | { readonly kind: "gateway" }
  | { readonly kind: "sandbox"; readonly reference: string; readonly claude: boolean }
  /** Nothing that a sandbox could be called. */
  | { readonly kind: "unknown"; readonly shown: string };

/** Reads a user name: `berth`, `NAME`, `NAME+claude`, or an id in the place of the name. */
export function readLogin(username: string): Login {
  if (username === gatewayUser) return { kind: "gateway" };
  const claude = username.endsWith(claudeSuffix);
  const reference = claude ? username.slice(0, -claudeSuffix.length) : username;
  if (Value.Check(nameSchema, reference) || Value.Check(idSchema, reference)) {
    return { kind: "sandbox", reference, claude };
  }
  return { kind: "unknown", shown: printable(username) };
}

/** A text from outside, of a length and of characters that do no harm on a terminal or in a log. */
export function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, 64);
}
