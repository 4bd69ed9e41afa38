import { BlockList, isIP } from "node:net";

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** An IP address without the wrapping that IPv6 sockets give IPv4 peers, and without brackets. */
export function plainAddress(address: string): string {
  return address.replace(/^\[(.*)\]$/, "$1").replace(/^::ffff:(?=\d+\.)/i, "");
}

/** Whether an address is this machine's own loopback. */
export function isLoopback(address: string): boolean {
  const plain = plainAddress(address);
  const version = isIP(plain);
  return version !== 0 && loopback.check(plain, version === 4 ? "ipv4" : "ipv6");
}

/**
 * The names under which the console answers. A page of another name that resolves to this machine (DNS rebinding)
 * would otherwise count as the same origin in a browser.
 */
export class OwnAddress {
  readonly #names: ReadonlySet<string>;
  readonly #publicUrl: URL | undefined;

  constructor(options: { host: string; publicUrl?: URL | undefined }) {
    this.#publicUrl = options.publicUrl;
    const names = ["localhost", plainAddress(options.host).toLowerCase()];
    if (options.publicUrl) names.push(plainAddress(options.publicUrl.hostname).toLowerCase());
    this.#names = new Set(names);
  }

  /** Whether a `Host` header names this server; `localAddress` is the socket's own end. Any port: ports are forwarded. */
  answersFor(host: string | undefined, localAddress: string | undefined): boolean {
    const name = hostName(host);
    if (name === undefined) return false;
    if (this.#names.has(name) || isLoopback(name)) return true;
    return isIP(name) !== 0 && localAddress !== undefined && plainAddress(localAddress) === name;
  }

  /** Whether an `Origin` is the console's own: the scheme, host and port of the request itself, or the public URL's. */
  isOwnOrigin(origin: string | undefined, host: string | undefined): boolean {
    if (origin === undefined) return false;
    return origin === this.#publicUrl?.origin || (host !== undefined && origin === ownOrigin(host));
  }

  /** Where links that this server gives away begin: the public URL's origin, or the one that the request came to. */
  originFor(host: string | undefined): string {
    return this.#publicUrl?.origin ?? (host === undefined ? undefined : ownOrigin(host)) ?? "";
  }

  /** Whether browsers reach this host by TLS, which a proxy before us ends: then cookies are `Secure`. */
  isSecure(host: string | undefined): boolean {
    return this.#publicUrl?.protocol === "https:" && host?.toLowerCase() === this.#publicUrl.host;
  }
}

/** The listener itself speaks HTTP without TLS. */
function ownOrigin(host: string): string | undefined {
  const url = `http://${host}`;
  return URL.canParse(url) ? new URL(url).origin : undefined;
}

function hostName(host: string | undefined): string | undefined {
  if (host === undefined || !/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?$/.test(host)) return undefined;
  return plainAddress(host.replace(/:\d{1,5}$/, "")).toLowerCase();
}
