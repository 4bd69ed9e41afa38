import { readTextIfExists } from "@berth/base/node";
import { parseAddress } from "./subnet.ts";

/**
 * Where a machine's resolvers are named. A resolver on a loopback address, such as systemd-resolved's, cannot be reached
 * from another namespace; the programs behind it write down which ones they ask themselves.
 */
const candidates = [
  "/etc/resolv.conf",
  "/run/systemd/resolve/resolv.conf",
  "/run/NetworkManager/no-stub-resolv.conf",
  "/run/resolvconf/resolv.conf",
];

/** A file that names resolvers which can be asked from the containers' namespace. */
export interface Resolvers {
  readonly path: string;
  readonly addresses: readonly string[];
}

/** The machine's resolvers; undefined when there is none but on loopback addresses. */
export async function findResolvers(paths: readonly string[] = candidates): Promise<Resolvers | undefined> {
  for (const path of paths) {
    const addresses = reachableIn((await readTextIfExists(path)) ?? "");
    if (addresses.length > 0) return { path, addresses };
  }
  return undefined;
}

/** The namespace has no IPv6, so its resolvers have IPv4 addresses. */
function reachableIn(text: string): readonly string[] {
  const named = [...text.matchAll(/^\s*nameserver\s+(\d+\.\d+\.\d+\.\d+)\s*$/gm)].map(([, address = ""]) => address);
  return named.filter((address) => isAddress(address) && !address.startsWith("127.") && address !== "0.0.0.0");
}

function isAddress(text: string): boolean {
  try {
    parseAddress(text);
    return true;
  } catch {
    return false;
  }
}
