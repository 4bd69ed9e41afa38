import { proxmoxError } from "../error.ts";

/** Who calls. */
export type ProxmoxCredentials =
  /** An API token: no session, no CSRF token; preferred. */
  | {
      readonly kind: "token";
      /** `user@realm!id`. */
      readonly id: string;
      /** The UUID that Proxmox showed once. */
      readonly secret: string;
    }
  /** A user's password, traded for a ticket that lives two hours. */
  | { readonly kind: "password" /** `user@realm`. */; readonly user: string; readonly password: string };

/** Parses `user@realm!id=uuid`, as `PVEAPIToken=` takes it. Throws a ProxmoxError of kind `settings`. */
export function parseApiToken(text: string): ProxmoxCredentials & { kind: "token" } {
  const match = /^(?:PVEAPIToken=)?([^=]+)=(.+)$/.exec(text.trim());
  const credentials = { kind: "token", id: match?.[1] ?? "", secret: match?.[2] ?? "" } as const;
  checkCredentials(credentials);
  return credentials;
}

/** Throws a ProxmoxError of kind `settings` for credentials that no server would take. Never repeats a secret. */
export function checkCredentials(credentials: ProxmoxCredentials): void {
  if (credentials.kind === "token") {
    if (!/^[^\s@!:/]+@[^\s@!:/]+![^\s@!:/=]+$/.test(credentials.id)) {
      throw settingsError("PROXMOX_TOKEN_ID must look like user@realm!id");
    }
    // The secret goes into a header: a line break pasted along with it must not.
    if (!/^[\x21-\x7e]+$/.test(credentials.secret)) {
      throw settingsError("PROXMOX_TOKEN_SECRET must be the UUID that Proxmox showed when the token was made");
    }
  } else if (!/^[^\s:/]+@[^\s@:/]+$/.test(credentials.user)) {
    throw settingsError(`the Proxmox user "${credentials.user}" must look like user@realm`);
  }
}

/** Who calls, for messages: `user@realm` or `user@realm!id`. */
export function principalOf(credentials: ProxmoxCredentials): string {
  return credentials.kind === "token" ? credentials.id : credentials.user;
}

function settingsError(detail: string): Error {
  return proxmoxError({ kind: "settings", detail });
}
