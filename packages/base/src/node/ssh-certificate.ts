import { createHash, type KeyObject, sign } from "node:crypto";
import { sshString } from "./ssh-wire.ts";

/** What a host certificate says. */
export interface HostCertificate {
  /** The key that is certified, as a line of a `.pub` file. */
  readonly publicKey: string;
  /** For people and logs. */
  readonly keyId: string;
  /** The names and addresses under which the host is that. An empty list would mean every name, and is refused. */
  readonly principals: readonly string[];
  /** Seconds since the Unix epoch: the first that it is valid in, and the first that it is not. */
  readonly validAfter: number;
  readonly validBefore: number;
}

/** Who certifies: an Ed25519 key, and its public half as a line of a `.pub` file. */
export interface CertificateAuthority {
  readonly privateKey: KeyObject;
  readonly publicKey: string;
}

const certificateType = "ssh-ed25519-cert-v01@openssh.com";
const hostType = 2;

/**
 * A host certificate as OpenSSH writes it into `ssh_host_ed25519_key-cert.pub`, one line (PROTOCOL.certkeys of OpenSSH),
 * the same for the same wish: a host that has it need not be told again. Throws `RangeError` without principals or for a
 * key that is not of Ed25519.
 */
export function signHostCertificate(authority: CertificateAuthority, wanted: HostCertificate): string {
  if (wanted.principals.length === 0) throw new RangeError("a host certificate without principals is for every host");
  const said = Buffer.concat([
    sshString(rawKey(wanted.publicKey)),
    uint64(0),
    uint32(hostType),
    sshString(wanted.keyId),
    sshString(Buffer.concat(wanted.principals.map((principal) => sshString(principal)))),
    uint64(wanted.validAfter),
    uint64(wanted.validBefore),
    // Critical options, extensions and what is reserved: a host's has none.
    sshString(""),
    sshString(""),
    sshString(""),
    sshString(blobOf(authority.publicKey)),
  ]);
  const statement = Buffer.concat([sshString(certificateType), sshString(nonceFor(authority, said)), said]);
  const signature = Buffer.concat([sshString("ssh-ed25519"), sshString(sign(null, statement, authority.privateKey))]);
  return `${certificateType} ${Buffer.concat([statement, sshString(signature)]).toString("base64")} ${wanted.keyId}`;
}

/**
 * 32 bytes that nobody can tell beforehand without the authority's key, which is what OpenSSH wants of them; a
 * signature of Ed25519 is the same each time.
 */
function nonceFor(authority: CertificateAuthority, said: Buffer): Buffer {
  const secret = sign(null, Buffer.concat([Buffer.from("nonce of a host certificate\n"), said]), authority.privateKey);
  return createHash("sha256").update(secret).digest();
}

/** The wire form of the key in a line of a `.pub` file. */
function blobOf(line: string): Buffer {
  return Buffer.from(line.split(" ")[1] ?? "", "base64");
}

/** The 32 bytes of an Ed25519 key. */
function rawKey(line: string): Buffer {
  const blob = blobOf(line);
  const raw = blob.subarray(-32);
  if (!blob.equals(Buffer.concat([sshString("ssh-ed25519"), sshString(raw)]))) {
    throw new RangeError("only keys of Ed25519 are certified");
  }
  return raw;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}
