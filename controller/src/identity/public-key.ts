import { sshFingerprint } from "@berth/base/node";
import { BerthError } from "@berth/protocol";
import ssh2 from "ssh2";

/** A public key that may be put into an `authorized_keys` file. */
export interface PublicKey {
  /** `type base64`, with the comment where there is one. */
  readonly line: string;
  readonly comment: string;
  /** `SHA256:…`. */
  readonly fingerprint: string;
}

const minRsaBits = 2048;
const plainTypes = ["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"];
/** Keys in hardware; ssh2 does not read them, so that only their frame is checked. */
const hardwareTypes = ["sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"];

/**
 * Reads one line of an OpenSSH `.pub` file. Options before the type are refused, since they would act in the sandbox's
 * `authorized_keys`. Throws `invalid_request`.
 */
export function readPublicKey(text: string): PublicKey {
  const line = text.trim();
  if (line.includes("PRIVATE KEY"))
    throw invalid("this is a private key: send the .pub file, and treat the private one as known");
  if (/[^\x20-\x7e\u00a0-\uffff]/.test(line)) throw invalid("it is not one line of text");
  const [, type = "", base64 = "", comment = ""] = /^(\S+) +([A-Za-z0-9+/]+={0,2})(?: +(.*))?$/.exec(line) ?? [];
  if (![...plainTypes, ...hardwareTypes].includes(type)) {
    throw invalid("it does not begin with a type that OpenSSH knows, such as ssh-ed25519");
  }
  const blob = Buffer.from(base64, "base64");
  const parts = readParts(blob);
  if (blob.toString("base64") !== base64 || parts?.[0]?.toString("latin1") !== type)
    throw invalid("its contents are damaged");
  if (plainTypes.includes(type)) checkPlainKey(type, base64);
  else checkHardwareKey(type, parts);
  if (type === "ssh-rsa" && bitLength(parts[2]) < minRsaBits) {
    throw invalid(`an RSA key needs ${minRsaBits} bits at least: make a new one with ssh-keygen -t ed25519`);
  }
  const shown = comment.trim().slice(0, 100);
  return { line: `${type} ${base64}${shown ? ` ${shown}` : ""}`, comment: shown, fingerprint: sshFingerprint(blob) };
}

function checkPlainKey(type: string, base64: string): void {
  const parsed = ssh2.utils.parseKey(`${type} ${base64}`);
  if (parsed instanceof Error || parsed.isPrivateKey()) throw invalid("its contents are damaged");
}

/** PROTOCOL.u2f of OpenSSH: type, (curve,) public key, application. */
function checkHardwareKey(type: string, parts: readonly Buffer[]): void {
  const isEd25519 = type === "sk-ssh-ed25519@openssh.com";
  const point = isEd25519 ? parts[1] : parts[2];
  const whole = parts.length === (isEd25519 ? 3 : 4) && point?.length === (isEd25519 ? 32 : 65);
  if (!whole) throw invalid("its contents are damaged");
}

/** The length-prefixed strings (RFC 4251) that make up a blob exactly; undefined if they do not. */
function readParts(blob: Buffer): Buffer[] | undefined {
  const parts: Buffer[] = [];
  let at = 0;
  while (at + 4 <= blob.length) {
    const end = at + 4 + blob.readUInt32BE(at);
    if (end > blob.length) return undefined;
    parts.push(blob.subarray(at + 4, end));
    at = end;
  }
  return at === blob.length && parts.length > 0 ? parts : undefined;
}

/** Bits of a positive integer as RFC 4251 writes it: big endian, with a zero byte before a set first bit. */
function bitLength(integer: Buffer | undefined): number {
  const first = integer?.findIndex((byte) => byte !== 0) ?? -1;
  if (!integer || first < 0) return 0;
  return (integer.length - first) * 8 - Math.clz32(integer[first] ?? 0) + 24;
}

function invalid(reason: string): BerthError {
  return new BerthError("invalid_request", `publicKey: ${reason}.`, { fields: { publicKey: reason } });
}
