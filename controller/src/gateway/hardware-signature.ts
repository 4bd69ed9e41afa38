import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import { readString } from "./wire.ts";

/** Behind the signature itself: the flags of the key, and its counter. */
const trailerBytes = 5;
const userWasPresent = 1;

/**
 * Whether a key in hardware has signed this, its owner touching it (PROTOCOL.u2f of OpenSSH); ssh2 knows no such keys.
 * `signature` is what follows its type and the length of its first part. Never throws.
 */
export function isSignedByHardware(key: Buffer, data: Buffer, signature: Buffer): boolean {
  const parts = readKey(key);
  const flagsAt = signature.length - trailerBytes;
  if (!parts || flagsAt <= 0 || ((signature[flagsAt] ?? 0) & userWasPresent) === 0) return false;
  const signed = Buffer.concat([sha256(parts.application), signature.subarray(flagsAt), sha256(data)]);
  try {
    return parts.check(signed, signature.subarray(0, flagsAt));
  } catch {
    // A point that is on no curve, or numbers that are no signature.
    return false;
  }
}

interface HardwareKey {
  readonly application: Buffer;
  check(signed: Buffer, signature: Buffer): boolean;
}

function readKey(key: Buffer): HardwareKey | undefined {
  const parts: Buffer[] = [];
  for (let at = 0; at < key.length; ) {
    const part = readString(key, at);
    if (!part) return undefined;
    parts.push(part.value);
    at = part.end;
  }
  const [type, first, second, third] = parts;
  switch (type?.toString("latin1")) {
    case "sk-ssh-ed25519@openssh.com":
      if (!first || !second) return undefined;
      return { application: second, check: (signed, signature) => verify(null, signed, ed25519(first), signature) };
    case "sk-ecdsa-sha2-nistp256@openssh.com":
      if (!second || !third) return undefined;
      return { application: third, check: (signed, signature) => checkEcdsa(second, signed, signature) };
    default:
      return undefined;
  }
}

function checkEcdsa(point: Buffer, signed: Buffer, signature: Buffer): boolean {
  const r = readString(signature, 0);
  const s = r && readString(signature, r.end);
  if (!r || !s) return false;
  const plain = Buffer.concat([fixed(r.value), fixed(s.value)]);
  return verify("sha256", signed, { key: p256(point), dsaEncoding: "ieee-p1363" }, plain);
}

function ed25519(raw: Buffer): KeyObject {
  return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: raw.toString("base64url") }, format: "jwk" });
}

/** From a point that is not compressed: a byte that says so, and two numbers of 32. */
function p256(point: Buffer): KeyObject {
  const x = point.subarray(1, 33).toString("base64url");
  const y = point.subarray(33, 65).toString("base64url");
  return createPublicKey({ key: { kty: "EC", crv: "P-256", x, y }, format: "jwk" });
}

/** A positive number as 32 bytes. */
function fixed(number: Buffer): Buffer {
  const digits = number.subarray(Math.max(0, number.length - 32));
  return Buffer.concat([Buffer.alloc(32 - digits.length), digits]);
}

function sha256(bytes: Buffer): Buffer {
  return createHash("sha256").update(bytes).digest();
}
