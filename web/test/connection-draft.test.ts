import type { Certificate } from "@berth/protocol";
import { describe, expect, it } from "vitest";
import {
  addressesOf,
  type Draft,
  emptyDraft,
  furthestStep,
  keepDraft,
  loadDraft,
  proposalOf,
  wrongAddresses,
} from "../src/connection/draft.ts";

const secret = "01234567-89ab-cdef-0123-456789abcdef";
const certificate = (distrust: string | null): Certificate => ({
  address: "https://pve:8006",
  fingerprint: Array.from({ length: 32 }, () => "AB").join(":"),
  subject: "CN=pve",
  issuer: "CN=Proxmox Virtual Environment",
  validFrom: "2026-01-01T00:00:00.000Z",
  validTo: "2028-01-01T00:00:00.000Z",
  distrust,
});
const full: Draft = {
  ...{ ...emptyDraft, addresses: "pve", certificates: [certificate("SELF_SIGNED")], confirmed: true, secret },
};

describe("addresses as people type them", () => {
  it.each([
    ["192.168.1.2", ["https://192.168.1.2:8006"]],
    ["pve.lan:443", ["https://pve.lan"]],
    ["https://pve.lan:8006/", ["https://pve.lan:8006"]],
    ["https://proxy.lan/pve/", ["https://proxy.lan/pve"]],
    ["[fd00::2]", ["https://[fd00::2]:8006"]],
    ["pve1, pve2  pve1", ["https://pve1:8006", "https://pve2:8006"]],
  ])("%s", (text, expected) => {
    expect(addressesOf(text)).toEqual(expected);
    expect(wrongAddresses(text)).toBeUndefined();
  });

  it.each([
    "",
    "http://pve:8006",
    "https://root:pw@pve:8006",
    "ftp://pve",
    Array.from({ length: 17 }, (_, i) => `pve${i}`).join(),
  ])("%s is refused", (text) => expect(wrongAddresses(text)).toBeDefined());
});

describe("how far one may go", () => {
  it("is as far as what was entered allows", () => {
    expect(furthestStep(emptyDraft)).toBe("address");
    expect(furthestStep({ ...full, certificates: [] })).toBe("address");
    expect(furthestStep({ ...full, addresses: "pve, pve2" })).toBe("address");
    expect(furthestStep({ ...full, confirmed: false })).toBe("certificate");
    expect(furthestStep({ ...full, secret: "" })).toBe("token");
    expect(furthestStep(full)).toBe("checks");
  });

  it("asks nobody to compare a certificate that an authority vouches for, and pins none then", () => {
    const vouched = { ...full, certificates: [certificate(null)], confirmed: false };
    expect(furthestStep(vouched)).toBe("checks");
    expect(proposalOf(vouched)).toMatchObject({ fingerprints: [] });
    expect(proposalOf(full)?.fingerprints).toHaveLength(1);
  });
});

describe("what is proposed", () => {
  it("leaves out what was left empty, and is none while something is wrong", () => {
    expect(proposalOf({ ...full, pool: "" })).not.toHaveProperty("pool");
    expect(proposalOf({ ...full, vlan: "20" })).toMatchObject({ vlan: 20, pool: "sandboxes" });
    expect(proposalOf({ ...full, vlan: "5000" })).toBeUndefined();
    expect(proposalOf({ ...full, tokenId: "root@pam" })).toBeUndefined();
  });
});

describe("a reload", () => {
  it("keeps what was entered, and not the secret", () => {
    const kept = new Map<string, string>();
    keepDraft({ setItem: (key, value) => void kept.set(key, value) }, full);
    expect([...kept.values()].join()).not.toContain(secret);
    expect(loadDraft({ getItem: (key) => kept.get(key) ?? null })).toEqual({ ...full, secret: "" });
  });

  it("begins anew where what was kept is not what this version keeps", () => {
    expect(loadDraft({ getItem: () => '{"addresses":7}' })).toEqual(emptyDraft);
    expect(loadDraft({ getItem: () => null })).toEqual(emptyDraft);
  });
});
