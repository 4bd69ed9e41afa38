import { networkInterfaces } from "node:os";
import type { MachineService } from "@berth/pve-emulator";

/** A URL of the settings as containers reach it, and what of this machine they need for that. */
export interface UrlFromContainers {
  readonly url: string;
  readonly service: MachineService | undefined;
}

/**
 * How real containers reach a service that the settings name by an address of this machine, such as
 * `http://127.0.0.1:4000`: at the same port of `hostAddress`. Anything else stays as it is.
 */
export function urlFromContainers(text: string, hostAddress: string): UrlFromContainers {
  const url = new URL(text);
  const address = url.hostname === hostAddress ? hostAddress : ownAddress(url.hostname);
  if (address === undefined) return { url: text, service: undefined };
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  url.hostname = hostAddress;
  // A URL without a path gets one by being parsed, which programs append their own to.
  const slash = text.endsWith("/") ? "" : /\/$/;
  return { url: url.href.replace(slash, ""), service: { port, address } };
}

/** The IPv4 address of this machine that a host name stands for; undefined for another machine's. */
function ownAddress(hostname: string): string | undefined {
  if (hostname === "localhost" || hostname === "[::1]" || hostname.endsWith(".localhost")) return "127.0.0.1";
  if (/^127\.\d+\.\d+\.\d+$/.test(hostname)) return hostname;
  const own = Object.values(networkInterfaces()).flatMap((cards) => cards ?? []);
  return own.some(({ address }) => address === hostname) ? hostname : undefined;
}
