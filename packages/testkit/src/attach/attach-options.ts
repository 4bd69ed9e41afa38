export interface AttachOptions {
  /** The controller's address, `http://…` or `https://…`. */
  readonly url: string;
  /** Sent as Bearer. */
  readonly token?: string;
  /** More headers, such as `cookie` and `origin`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** PEM of the certificate authority, for https. */
  readonly ca?: string;
  readonly terminalId: string;
  /** Where the caller's output ends. Without it the first attach has a snapshot. */
  readonly from?: { readonly epoch: number; readonly offset: number };
  /** Whether input is counted; true by default. */
  readonly countInput?: boolean;
  readonly cols?: number;
  readonly rows?: number;
  /** Lines of scrollback in a snapshot. */
  readonly scrollback?: number;
  /** Whether digested output is acknowledged; true by default. A viewer that never does has no flow control. */
  readonly acknowledge?: boolean;
  /** Whether a lost connection is made again, for at most so many milliseconds; 0, never, by default. */
  readonly reconnectMs?: number;
}

/** The address of one attach call, http or ws alike. */
export function attachUrl(
  options: AttachOptions,
  from: { readonly epoch: number; readonly offset: number } | undefined,
  input: string | undefined,
): URL {
  const { url, terminalId, cols, rows, scrollback } = options;
  const address = new URL(`/api/v1/terminals/${terminalId}/attach`, url);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  if (cols !== undefined && rows !== undefined) {
    address.searchParams.set("cols", String(cols));
    address.searchParams.set("rows", String(rows));
  }
  if (scrollback !== undefined) address.searchParams.set("scrollback", String(scrollback));
  if (from) address.searchParams.set("from", `${from.epoch}:${from.offset}`);
  if (input !== undefined) address.searchParams.set("input", input);
  return address;
}

/** The headers of an attach call. */
export function attachHeaders({ token, headers }: AttachOptions): Record<string, string> {
  return { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers };
}
