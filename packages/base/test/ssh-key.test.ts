import { execFileSync } from "node:child_process";
import { hkdfSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bundledTemplateKeys, deriveSecret, ed25519FromSeed, sshFingerprint, sshKeyPair } from "../src/node/index.ts";
import { temporaryFolder } from "./support/folder.ts";

/** What OpenSSH itself makes of a private key. */
function readByOpenSsh(privateKey: string): { publicKey: string; listing: string } {
  const path = join(temporaryFolder(), "key");
  writeFileSync(path, privateKey, { mode: 0o600 });
  const keygen = (...args: string[]) => execFileSync("ssh-keygen", [...args, "-f", path], { encoding: "utf8" }).trim();
  return { publicKey: keygen("-y"), listing: keygen("-l") };
}

describe("an SSH key pair", () => {
  // The length of the comment decides how much the private half is padded: each remainder of eight is tried.
  it.each([
    "",
    "a",
    "berth",
    "a comment with spaces",
    "1234567",
    "12345678",
    "ünïcode",
    "name@host",
    "12",
    "123",
    "12345",
  ])("with the comment %j is read by OpenSSH", (comment) => {
    const pair = sshKeyPair(deriveSecret("secret", comment), comment);
    const { publicKey, listing } = readByOpenSsh(pair.privateKey);
    expect(publicKey).toBe(pair.publicKey.trim());
    expect(listing).toBe(`256 ${pair.fingerprint} ${comment} (ED25519)`);
  });

  it("is the same for the same seed", () => {
    const seed = Buffer.alloc(32, 7);
    expect(sshKeyPair(seed, "x")).toEqual(sshKeyPair(Buffer.from(seed), "x"));
  });

  it("is another for another seed, and the same key under another comment", () => {
    const pairs = [1, 2, 3].map((fill) => sshKeyPair(Buffer.alloc(32, fill), "x"));
    expect(new Set(pairs.map((pair) => pair.fingerprint)).size).toBe(3);
    expect(sshKeyPair(Buffer.alloc(32, 1), "y").fingerprint).toBe(pairs[0]?.fingerprint);
  });

  it("has the public half that RFC 8032 gives for its first test vector", () => {
    const seed = Buffer.from("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "hex");
    const blob = Buffer.from(sshKeyPair(seed, "x").publicKey.split(" ")[1] ?? "", "base64");
    expect(blob.subarray(-32).toString("hex")).toBe("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  });

  it("tells its fingerprint from the public blob", () => {
    const pair = sshKeyPair(Buffer.alloc(32, 9), "x");
    const blob = Buffer.from(pair.publicKey.split(" ")[1] ?? "", "base64");
    expect(sshFingerprint(blob)).toBe(pair.fingerprint);
  });

  it("is not made of a seed of another length", () => {
    for (const length of [0, 31, 33]) expect(() => sshKeyPair(Buffer.alloc(length), "x")).toThrow();
    expect(ed25519FromSeed(Buffer.alloc(32)).asymmetricKeyType).toBe("ed25519");
  });
});

describe("a derived secret", () => {
  it("is HKDF-SHA256 of the secret for its purpose", () => {
    const expected = Buffer.from(hkdfSync("sha256", "secret", "berth", "purpose", 32));
    expect(deriveSecret("secret", "purpose")).toEqual(expected);
    expect(deriveSecret(Buffer.from("secret"), "purpose")).toEqual(expected);
  });

  it("differs by secret and by purpose", () => {
    const secrets = [
      deriveSecret("a", "x"),
      deriveSecret("a", "y"),
      deriveSecret("b", "x"),
      deriveSecret("ax", ""),
    ].map((secret) => secret.toString("hex"));
    expect(new Set(secrets).size).toBe(secrets.length);
  });

  it("is as long as it is asked for", () => {
    for (const length of [16, 32, 64]) expect(deriveSecret("secret", "purpose", length)).toHaveLength(length);
  });
});

describe("the keys of the bundled template", () => {
  it("are the same for both who know the secret", () => {
    expect(bundledTemplateKeys("secret")).toEqual(bundledTemplateKeys("secret"));
  });

  it("differ from each other and from those of another secret", () => {
    const [one, other] = [bundledTemplateKeys("secret"), bundledTemplateKeys("another")];
    const keys = [one.host, one.client, other.host, other.client].map((pair) => pair.fingerprint);
    expect(new Set(keys).size).toBe(4);
    expect(readByOpenSsh(one.host.privateKey).publicKey).toBe(one.host.publicKey);
    expect(one.client.publicKey).toMatch(/ berth-bootstrap-client$/);
  });
});
