import {
  type Certificate,
  certificateSchema,
  maxProxmoxUrls,
  type Proposal,
  parseJson,
  proposalSchema,
  proxmoxTokenIdSchema,
  proxmoxTokenSecretSchema,
  proxmoxUrlSchema,
} from "@berth/protocol";
import Type, { type Static } from "typebox";
import { Value } from "typebox/value";

/** The steps of connecting a Proxmox, in order; those from `template` on are done on the new one. */
export const connectionSteps = ["address", "certificate", "token", "checks", "template", "sandbox"] as const;
export type ConnectionStep = (typeof connectionSteps)[number];

const keptDraftSchema = Type.Object({
  addresses: Type.String(),
  /** What the addresses showed, in their order; empty: they were not looked at. */
  certificates: Type.Array(certificateSchema),
  /** Somebody has compared the fingerprints. */
  confirmed: Type.Boolean(),
  tokenId: Type.String(),
  pool: Type.String(),
  storage: Type.String(),
  bridge: Type.String(),
  vlan: Type.String(),
});

/** What was entered so far, as text. */
export interface Draft extends Static<typeof keptDraftSchema> {
  /** Of the token; not kept over a reload. */
  readonly secret: string;
}

export const emptyDraft: Draft = {
  addresses: "",
  certificates: [],
  confirmed: false,
  tokenId: "berth@pve!berth",
  pool: "sandboxes",
  storage: "",
  bridge: "",
  vlan: "",
  secret: "",
};

/** The addresses in a text, with commas or spaces between; one without a scheme or a port gets Proxmox's own. */
export function addressesOf(text: string): readonly string[] {
  const words = text.split(/[\s,]+/).filter((word) => word !== "");
  return [...new Set(words.map(addressOf))];
}

function addressOf(word: string): string {
  const bare = !/^[a-z]+:\/\//i.test(word);
  const url = URL.parse(bare ? `https://${word}` : word);
  if (!url) return word;
  // Somebody who names no port means Proxmox's, unless it is an address from the browser, where 443 is left out.
  if (bare && url.port === "" && !/:443$/.test(word)) url.port = "8006";
  // What is no address, or has credentials in it, stays as it is, to be refused.
  return url.origin === "null" || url.username !== "" ? word : `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

/** What is wrong with the addresses; undefined: nothing. */
export function wrongAddresses(text: string): string | undefined {
  const addresses = addressesOf(text);
  if (addresses.length === 0) return "Name one address.";
  if (addresses.length > maxProxmoxUrls) return `At most ${maxProxmoxUrls} addresses.`;
  const plain = addresses.find((address) => address.startsWith("http:"));
  if (plain !== undefined) return `${plain}: Proxmox speaks https:// only.`;
  const wrong = addresses.find((address) => !Value.Check(proxmoxUrlSchema, address));
  return wrong === undefined ? undefined : `${wrong} is not an address such as https://192.168.1.2:8006.`;
}

export function isTokenId(text: string): boolean {
  return Value.Check(proxmoxTokenIdSchema, text);
}

export function isTokenSecret(text: string): boolean {
  return Value.Check(proxmoxTokenSecretSchema, text);
}

/** What is proposed; undefined: something is missing or wrong yet. */
export function proposalOf(draft: Draft): Proposal | undefined {
  const { addresses, certificates, tokenId, secret, pool, storage, bridge, vlan } = draft;
  const proposal = {
    urls: addressesOf(addresses),
    tokenId,
    tokenSecret: secret,
    // Where authorities vouch for all, a renewed certificate is theirs to vouch for again.
    fingerprints: areVouchedFor(certificates) ? [] : certificates.map(({ fingerprint }) => fingerprint),
    ...(pool === "" ? {} : { pool }),
    ...(storage === "" ? {} : { storage }),
    ...(bridge === "" ? {} : { bridge }),
    ...(vlan === "" ? {} : { vlan: Number(vlan) }),
  };
  return Value.Check(proposalSchema, proposal) ? proposal : undefined;
}

export function areVouchedFor(certificates: readonly Certificate[]): boolean {
  return certificates.length > 0 && certificates.every(({ distrust }) => distrust === null);
}

/** The last step that what was entered allows before it is saved. */
export function furthestStep(draft: Draft): ConnectionStep {
  const { addresses, certificates, confirmed } = draft;
  if (wrongAddresses(addresses) !== undefined || certificates.length !== addressesOf(addresses).length)
    return "address";
  if (!confirmed && !areVouchedFor(certificates)) return "certificate";
  return proposalOf(draft) === undefined ? "token" : "checks";
}

const storageKey = "berth.connection";

/** What was entered before a reload, without the secret. */
export function loadDraft(store: Pick<Storage, "getItem">): Draft {
  const kept = parseJson(store.getItem(storageKey) ?? "");
  return Value.Check(keptDraftSchema, kept) ? { ...kept, secret: "" } : emptyDraft;
}

export function keepDraft(store: Pick<Storage, "setItem">, { secret: _, ...kept }: Draft): void {
  store.setItem(storageKey, JSON.stringify(kept));
}
