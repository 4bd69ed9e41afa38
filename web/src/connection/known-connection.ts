import type { Connection, Failure } from "@berth/protocol";

/** What is known of the connection to Proxmox. */
export interface KnownConnection {
  /** Undefined until it was read. */
  readonly connection: Connection | undefined;
  /** Why it could not be read; null: it could. */
  readonly failure: Failure | null;
}

export const nothingKnown: KnownConnection = { connection: undefined, failure: null };

/** Which Proxmox it is, in a few words. */
export function nameOf({ source, urls }: Connection): string {
  return source === "bundled"
    ? "the bundled one, on this machine"
    : urls.map((url) => url.replace(/^https:\/\//, "")).join(", ");
}
