import {
  BerthError,
  type Certificate,
  type Connection,
  type DoctorCheck,
  examineConnection,
  forgetConnection,
  getConnection,
  getPreparation,
  lookAtProxmox,
  type Proposal,
  proposalSchema,
  type Route,
  saveConnection,
} from "@berth/protocol";
import { Value } from "typebox/value";
import type { Answer, Call } from "./fake-controller.ts";

export const fingerprint = Array.from({ length: 32 }, (_, at) => (160 + at).toString(16).toUpperCase()).join(":");
const bundled: Connection = {
  ...{
    source: "bundled",
    urls: ["https://127.0.0.1:40000"],
    tokenId: "controller@pve!berth",
    fingerprints: [fingerprint],
  },
  ...{ pool: "sandboxes", storage: "local-btrfs", bridge: null, vlan: null, savedAt: null, occupants: 0 },
};

/** What the set-up of the connection to Proxmox asks for, in memory. */
export class FakeConnection {
  present: Connection = bundled;
  /** Of every address. */
  distrust: string | null = "self-signed certificate in certificate chain";
  checks: DoctorCheck[] = [{ id: "proxmox", title: "Proxmox", state: "ok", detail: "It answers.", fix: null }];
  /** Why a save is refused. */
  refusal: BerthError | undefined;
  /** What was checked, in order. */
  readonly examined: Proposal[] = [];

  get routes(): readonly (readonly [Route, (call: Call) => Answer])[] {
    const ok = (body: unknown): Answer => ({ status: 200, body });
    return [
      [getConnection, () => ok(this.present)],
      [getPreparation, ({ query }) => ok(this.#prepare(query))],
      [lookAtProxmox, ({ body }) => ok(this.#look(body))],
      [examineConnection, ({ body }) => ok(this.#examine(body))],
      [saveConnection, ({ body }) => this.#save(body)],
      [forgetConnection, () => this.#forget()],
    ];
  }

  #prepare(query: URLSearchParams) {
    const [tokenId, pool] = [query.get("tokenId") ?? "", query.get("pool") ?? "sandboxes"];
    return { tokenId, pool, lines: `pveum pool add ${pool}\npveum user token add '${tokenId}'` };
  }

  #look(body: unknown): Certificate {
    const url = typeof body === "object" && body !== null && "url" in body ? String(body.url) : "";
    return {
      ...{
        address: url,
        fingerprint,
        subject: "CN=pve1.lan",
        issuer: "CN=Proxmox Virtual Environment\nO=PVE Cluster Manager CA",
      },
      ...{ validFrom: "2026-01-01T00:00:00.000Z", validTo: "2028-01-01T00:00:00.000Z", distrust: this.distrust },
    };
  }

  #examine(body: unknown) {
    if (!Value.Check(proposalSchema, body)) throw new BerthError("invalid_request", "no proposal");
    this.examined.push(body);
    const failed = this.checks.filter(({ state }) => state === "failed");
    return {
      ...{ checks: this.checks, usable: failed.length === 0, grants: failed[0]?.fix ?? null },
      ...{ pools: ["sandboxes", "other"], storages: ["local-zfs", "ceph"], bridges: ["vmbr0", "vmbr1"] },
    };
  }

  #save(body: unknown): Answer {
    if (this.refusal) throw this.refusal;
    if (!Value.Check(proposalSchema, body)) throw new BerthError("invalid_request", "no proposal");
    const { urls, tokenId, fingerprints, pool = null, storage = null, bridge = null, vlan = null } = body;
    const savedAt = "2026-11-21T12:00:00.000Z";
    this.present = { source: "kept", urls, tokenId, fingerprints, pool, storage, bridge, vlan, savedAt, occupants: 0 };
    return { status: 202 };
  }

  #forget(): Answer {
    this.present = bundled;
    return { status: 202 };
  }
}
