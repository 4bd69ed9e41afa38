/** Where a viewer connects, and with what. */
export interface Address {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
}

/** Of a relay that asks for nothing. */
export function openAddress(url: URL | undefined): Address {
  if (!url) throw new Error("the relay has no such terminal");
  return { url, headers: {} };
}
