import { createHash, createPrivateKey, createPublicKey, hkdfSync, type KeyObject } from "node:crypto";
import { sshString } from "./ssh-wire.ts";

/** An Ed25519 key pair in the forms that OpenSSH reads. */
export interface SshKeyPair {
  /** `-----BEGIN OPENSSH PRIVATE KEY-----`, not encrypted. */
  readonly privateKey: string;
  /** `ssh-ed25519 AAAA… comment`. */
  readonly publicKey: string;
  /** `SHA256:…`, as `ssh-keygen -l` prints it. */
  readonly fingerprint: string;
}

/** A secret of so many bytes derived from another for one purpose (HKDF-SHA256, RFC 5869). */
export function deriveSecret(secret: string | Uint8Array, purpose: string, lengthBytes = 32): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, "berth", purpose, lengthBytes));
}

/** The Ed25519 private key whose seed (RFC 8032) is these 32 bytes. Throws `RangeError` at another length. */
export function ed25519FromSeed(seed: Uint8Array): KeyObject {
  // Where the seed is longer, OpenSSL would silently ignore its end.
  if (seed.byteLength !== 32) throw new RangeError(`an Ed25519 seed has 32 bytes, not ${seed.byteLength}`);
  // The PKCS #8 frame of an Ed25519 key is constant (RFC 8410, section 7).
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
}

/** The SSH key pair of a 32-byte seed: the same seed always makes the same key. */
export function sshKeyPair(seed: Uint8Array, comment: string): SshKeyPair {
  const publicRaw = rawPublicKey(ed25519FromSeed(seed));
  const blob = Buffer.concat([sshString("ssh-ed25519"), sshString(publicRaw)]);
  return {
    privateKey: opensshPrivateKey(seed, publicRaw, blob, comment),
    publicKey: `ssh-ed25519 ${blob.toString("base64")} ${comment}`,
    fingerprint: sshFingerprint(blob),
  };
}

/** The `SHA256:…` fingerprint of a public key given as its wire blob. */
export function sshFingerprint(blob: Uint8Array): string {
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

function rawPublicKey(privateKey: KeyObject): Buffer {
  const spki = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return spki.subarray(spki.length - 32);
}

/** The format of OpenSSH's PROTOCOL.key: no cipher, one key, padded to 8 bytes. */
function opensshPrivateKey(seed: Uint8Array, publicRaw: Buffer, blob: Buffer, comment: string): string {
  const one = Buffer.from([0, 0, 0, 1]);
  // The two equal check integers only tell a wrong passphrase; any value will do, and a fixed one keeps this pure.
  const check = Buffer.alloc(8, 0x42);
  const key = Buffer.concat([
    check,
    sshString("ssh-ed25519"),
    sshString(publicRaw),
    sshString(Buffer.concat([seed, publicRaw])),
    sshString(comment),
  ]);
  const padding = Buffer.from(Array.from({ length: (8 - (key.length % 8)) % 8 }, (_, index) => index + 1));
  const document = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    sshString("none"),
    sshString("none"),
    sshString(""),
    one,
    sshString(blob),
    sshString(Buffer.concat([key, padding])),
  ]);
  const lines = document.toString("base64").match(/.{1,70}/g) ?? [];
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join("\n")}\n-----END OPENSSH PRIVATE KEY-----\n`;
}
