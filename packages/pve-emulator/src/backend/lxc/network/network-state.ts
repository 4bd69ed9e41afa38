import { join } from "node:path";
import { makePrivateDirectory } from "@berth/base/node";
import Type, { type Static } from "typebox";
import { loadJson, saveJson } from "../../../state/json-file.ts";
import { firstHost, lastHost } from "./subnet.ts";

const cardSchema = Type.Object({
  vmid: Type.Integer({ minimum: 1 }),
  /** Place among the container's cards. */
  index: Type.Integer({ minimum: 0 }),
  mac: Type.String({ pattern: "^[0-9a-f]{2}(:[0-9a-f]{2}){5}$" }),
  /** Place of its address in the containers' network. */
  host: Type.Integer({ minimum: firstHost, maximum: lastHost }),
});
/** A card of a container that has an address. */
export type KnownCard = Static<typeof cardSchema>;

const stateSchema = Type.Object({
  /** First address of the subnet's block. */
  subnet: Type.String(),
  /** Absent: every unprivileged port. */
  machinePorts: Type.Optional(Type.Array(Type.Integer({ minimum: 1, maximum: 65535 }))),
  /** What listens elsewhere on the machine and is found at the same port of its end of the link. */
  services: Type.Optional(
    Type.Array(
      Type.Object({ port: Type.Integer({ minimum: 1, maximum: 65535 }), address: Type.String({ format: "ipv4" }) }),
    ),
  ),
  /** Where the search for the next free address begins: addresses given up lately come last. */
  nextHost: Type.Integer({ minimum: firstHost, maximum: lastHost }),
  cards: Type.Array(cardSchema),
});
/** What a network remembers in its data folder. */
export type NetworkState = Static<typeof stateSchema>;

/** Files of a network in an emulator's data folder. */
export function networkFiles(dataDir: string) {
  const folder = join(dataDir, "network");
  return {
    folder,
    state: join(folder, "network.json"),
    leases: join(folder, "dnsmasq.leases"),
    log: join(folder, "dnsmasq.log"),
  } as const;
}
export type NetworkFiles = ReturnType<typeof networkFiles>;

export async function loadState(files: NetworkFiles): Promise<NetworkState | undefined> {
  return await loadJson(files.state, stateSchema);
}

export async function saveState(files: NetworkFiles, state: NetworkState): Promise<void> {
  await makePrivateDirectory(files.folder);
  await saveJson(files.state, state);
}

/**
 * The state with exactly these cards of a container. A MAC address keeps its place whatever container it is in; a new
 * one gets the next free place. Answers the same object when nothing changes; throws when no place is free.
 */
export function withCards(state: NetworkState, vmid: number, macs: readonly string[]): NetworkState {
  const wanted = macs.map((mac) => mac.toLowerCase());
  const others = state.cards.filter((card) => card.vmid !== vmid && !wanted.includes(card.mac));
  let next = { ...state, cards: others };
  for (const [index, mac] of wanted.entries()) {
    const known = state.cards.find((card) => card.mac === mac);
    const host = known?.host ?? freeHost(next, state.cards);
    const nextHost = known ? next.nextHost : following(host);
    next = { ...next, nextHost, cards: [...next.cards, { vmid, index, mac, host }] };
  }
  return sameCards(state, next) ? state : next;
}

/** The next place that neither the cards so far nor those of before have. */
function freeHost(state: NetworkState, before: readonly KnownCard[]): number {
  const used = new Set([...state.cards, ...before].map((card) => card.host));
  for (let host = state.nextHost, step = 0; step <= lastHost - firstHost; step += 1, host = following(host)) {
    // In the middle of a large network these are ordinary addresses, which some programs do not believe.
    if (!used.has(host) && host % 256 !== 0 && host % 256 !== 255) return host;
  }
  throw new Error("the containers' network has no free address: delete containers that are not needed");
}

function following(host: number): number {
  return host === lastHost ? firstHost : host + 1;
}

function sameCards(a: NetworkState, b: NetworkState): boolean {
  const line = ({ vmid, index, mac, host }: KnownCard) => [vmid, index, mac, host].join();
  const lines = new Set(a.cards.map(line));
  return a.cards.length === b.cards.length && b.cards.every((card) => lines.has(line(card)));
}
