import { prefixOf } from "../names.ts";

/** Names of one emulator's network. Those of the machine are unique by their prefix; those in the namespace are plain. */
export interface NetworkNames {
  /** `bp` and eight hexadecimal digits of the data folder's hash. */
  readonly prefix: string;
  /** Of the namespace, as `ip netns` knows it. */
  readonly namespace: string;
  /** Where a process can enter the namespace. */
  readonly namespacePath: string;
  /** The machine's end of the link. */
  readonly link: string;
  /** The namespace's end of the link. */
  readonly uplink: string;
  /** In the namespace. */
  readonly bridge: string;
  /** The machine's nft table, of the family `inet`. */
  readonly table: string;
  /** Files that are worth nothing after a restart of the machine, readable by the name server's user. */
  readonly runtimeDir: string;
}

/** Where every emulator has its runtime folder. */
export const runtimeRoot = "/run/berth";

export function namesOf(dataDir: string, bridge: string): NetworkNames {
  const prefix = prefixOf(dataDir);
  return {
    prefix,
    namespace: prefix,
    namespacePath: `/run/netns/${prefix}`,
    link: prefix,
    uplink: "uplink",
    bridge,
    table: prefix,
    runtimeDir: `${runtimeRoot}/${prefix}`,
  };
}

/**
 * The machine's end of a container's card, which is in the machine's own namespace for a moment. All of the prefix and
 * a vmid of nine digits fit into the kernel's 15 characters by writing them to the base of 36; the card's place comes
 * last.
 */
export function portName(prefix: string, vmid: number, index: number): string {
  return `${portPrefix(prefix)}${vmid.toString(36)}${index.toString(36)}`;
}

/** What the names of all ports of one emulator begin with. */
export function portPrefix(prefix: string): string {
  return `b${Number.parseInt(prefix.slice(2), 16).toString(36).padStart(7, "0")}`;
}
