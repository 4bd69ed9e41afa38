import { isIP } from "node:net";
import { proxmoxError } from "../error.ts";

/** Where a server of the cluster is. */
export interface ServerAddress {
  /** As shown to people: `https://host:port`. */
  readonly origin: string;
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
  /** What a reverse proxy puts before `/api2/json`; mostly empty. */
  readonly basePath: string;
  /** The name for SNI; empty for an IP address, which SNI does not take. */
  readonly serverName: string;
}

/** Parses `https://host:8006`. Throws a ProxmoxError of kind `settings`; there is no plain HTTP. */
export function parseAddress(text: string): ServerAddress {
  const url = URL.parse(text.trim());
  if (!url || url.hostname === "") throw settingsError(`PROXMOX_URL: "${text}" is not a URL like https://node:8006`);
  if (url.protocol !== "https:") throw settingsError(`PROXMOX_URL must begin with https:// ("${text}")`);
  if (url.username !== "" || url.password !== "") {
    throw settingsError("PROXMOX_URL must not hold credentials; PROXMOX_TOKEN_ID and PROXMOX_TOKEN_SECRET do");
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  // Somebody who copies the address from the browser brings /api2/json or a slash along.
  const basePath = url.pathname.replace(/\/+$/, "").replace(/\/api2(?:\/json)?$/, "");
  return {
    origin: url.origin,
    host,
    port: url.port === "" ? 443 : Number(url.port),
    basePath,
    serverName: isIP(host) === 0 ? host : "",
  };
}

function settingsError(detail: string): Error {
  return proxmoxError({ kind: "settings", detail });
}
