import { randomBytes } from "node:crypto";
import type { NetworkCard } from "../backend/backend.ts";
import { formatPropertyString, type Properties, readPropertyString } from "../schema/property-string.ts";
import type { ConfigValues } from "./container.ts";

/** The prefix of the addresses that Proxmox makes. */
const vendorPrefix = "BC:24:11";

/** A MAC address that no other container has; chance is enough for three bytes of a small fleet. */
export function newMac(): string {
  const bytes = [...randomBytes(3)].map((byte) => byte.toString(16).toUpperCase().padStart(2, "0"));
  return [vendorPrefix, ...bytes].join(":");
}

/** A `net[n]` as PVE stores it: keys in order, with its type, and with an address that is made when there is none. */
export function normaliseCard(text: string): string {
  const properties = parseCard(text);
  properties.hwaddr = properties.hwaddr?.toUpperCase() ?? newMac();
  properties.type ??= "veth";
  return formatPropertyString(properties, "name");
}

/** The same card with another address, for a clone. */
export function withNewMac(text: string): string {
  return formatPropertyString({ ...parseCard(text), hwaddr: newMac() }, "name");
}

/** Names of the options that are network cards. */
export function cardNames(values: ConfigValues): string[] {
  return Object.keys(values)
    .filter((name) => /^net\d+$/.test(name))
    .sort((a, b) => Number(a.slice(3)) - Number(b.slice(3)));
}

export function cardsOf(values: ConfigValues): NetworkCard[] {
  return cardNames(values).map((option) => {
    const { name = "", hwaddr = "", ip, ip6, gw, gw6 } = parseCard(values[option] ?? "");
    return {
      name,
      mac: hwaddr.toLowerCase(),
      ...(ip === undefined ? {} : { ip }),
      ...(ip6 === undefined ? {} : { ip6 }),
      ...(gw === undefined ? {} : { gateway: gw }),
      ...(gw6 === undefined ? {} : { gateway6: gw6 }),
    };
  });
}

/** Why a container with these cards cannot start; the configuration takes all of that. */
export function problemOfCards(values: ConfigValues, theBridge: string): string | undefined {
  const names = new Set<string>();
  for (const option of cardNames(values)) {
    const { name = "", bridge = theBridge } = parseCard(values[option] ?? "");
    if (names.has(name)) return `there are two network cards '${name}'`;
    if (bridge !== theBridge) return `bridge '${bridge}' does not exist`;
    names.add(name);
  }
  return undefined;
}

/** The bridge of a card, if it names one. */
export function bridgeOf(text: string): string | undefined {
  return parseCard(text).bridge;
}

function parseCard(text: string): Properties {
  return readPropertyString(text);
}
