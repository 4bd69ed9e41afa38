import { createHash, createPublicKey, type KeyObject, randomBytes, sign, verify, X509Certificate } from "node:crypto";
import { join } from "node:path";
import {
  type BootstrapKeys,
  type CertificateAuthority,
  deriveSecret,
  ed25519FromSeed,
  makePrivateDirectory,
  readTextIfExists,
  type SshKeyPair,
  sshKeyPair,
  writeFileAtomic,
} from "@berth/base/node";
import { generate } from "selfsigned";

/** The certificate of the agents' listener, PEM. */
export interface ListenerCertificate {
  readonly certificate: string;
  readonly privateKey: string;
}

/**
 * The identity of a fleet. It lives in the data directory and not in the database, so that a controller that lost its
 * database still knows its containers. Everything but the certificate is derived from one secret.
 */
export class FleetKeys {
  /** Names the fleet in the descriptions of its containers; public. */
  readonly fleetId: string;
  /** What the controller signs in with at its sandboxes. */
  readonly sshClient: SshKeyPair;
  readonly listener: ListenerCertificate;
  /** The SSH host key of the gateway. */
  readonly gatewayHostKey: SshKeyPair;
  /** Signs the SSH host keys of the sandboxes. */
  readonly hostAuthority: CertificateAuthority;
  readonly #secret: Buffer;
  /** Made once: a description is read at every look at a container. */
  readonly #signing: { readonly privateKey: KeyObject; readonly publicKey: KeyObject };

  constructor(secret: Buffer, listener: ListenerCertificate) {
    this.#secret = secret;
    this.listener = listener;
    this.fleetId = deriveSecret(secret, "fleet id", 8).toString("hex");
    this.sshClient = sshKeyPair(deriveSecret(secret, "ssh client key"), `berth-controller-${this.fleetId}`);
    this.gatewayHostKey = sshKeyPair(deriveSecret(secret, "gateway host key"), `berth-gateway-${this.fleetId}`);
    this.hostAuthority = hostAuthority(deriveSecret(secret, "host certificate authority"), this.fleetId);
    const privateKey = ed25519FromSeed(deriveSecret(secret, "signing key"));
    this.#signing = { privateKey, publicKey: createPublicKey(privateKey) };
  }

  /** The SSH host key of a sandbox: always the same, so that a bootstrap can be done again. */
  hostKey(sandboxId: string): SshKeyPair {
    return sshKeyPair(deriveSecret(this.#secret, `host key of ${sandboxId}`), `berth-${sandboxId}`);
  }

  /** The keys of the first contact with a clone of a template that this fleet has built. */
  templateKeys(templateId: string): BootstrapKeys {
    return {
      host: sshKeyPair(deriveSecret(this.#secret, `bootstrap host key of ${templateId}`), "berth-bootstrap-host"),
      client: sshKeyPair(deriveSecret(this.#secret, `bootstrap client key of ${templateId}`), "berth-bootstrap-client"),
    };
  }

  /** Signs a text for this fleet (Ed25519, base64url). */
  sign(text: string): string {
    return sign(null, Buffer.from(text), this.#signing.privateKey).toString("base64url");
  }

  /** Whether this fleet signed the text. */
  verify(text: string, signature: string): boolean {
    return verify(null, Buffer.from(text), this.#signing.publicKey, Buffer.from(signature, "base64url"));
  }
}

/** Reads the keys of the fleet from the data directory, and makes them the first time. */
export async function loadFleetKeys(dataDir: string): Promise<FleetKeys> {
  const folder = join(dataDir, "keys");
  await makePrivateDirectory(folder);
  const secret = await readOrMake(join(folder, "fleet.secret"), async () => randomBytes(32).toString("hex"));
  const pem = await readOrMake(join(folder, "agent-listener.pem"), makeListenerCertificate);
  const listener = splitPem(pem);
  // A file that is cut or mixed up is found here, and not when the first agent dials.
  new X509Certificate(listener.certificate);
  if (!/^[0-9a-f]{64}$/.test(secret.trim())) {
    throw new Error(`${join(folder, "fleet.secret")} is damaged: restore it from a backup of the data directory.`);
  }
  return new FleetKeys(Buffer.from(secret.trim(), "hex"), listener);
}

function hostAuthority(seed: Uint8Array, fleetId: string): CertificateAuthority {
  const { publicKey } = sshKeyPair(seed, `berth-host-authority-${fleetId}`);
  return { privateKey: ed25519FromSeed(seed), publicKey };
}

/** The SHA-256 of a secret with many random bits, for keeping. */
export function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

async function readOrMake(path: string, make: () => Promise<string>): Promise<string> {
  const existing = await readTextIfExists(path);
  if (existing !== undefined) return existing;
  const made = await make();
  await writeFileAtomic(path, made);
  return made;
}

/**
 * Agents trust this one certificate and look at nothing else in it; a hundred years is "until it is replaced". Its
 * beginning is long past, since the clock of a node may be behind this one.
 */
async function makeListenerCertificate(): Promise<string> {
  const notAfterDate = new Date();
  notAfterDate.setFullYear(notAfterDate.getFullYear() + 100);
  const pems = await generate([{ name: "commonName", value: "Berth agent listener" }], {
    keyType: "ec",
    algorithm: "sha256",
    notBeforeDate: new Date(Date.UTC(2020, 0, 1)),
    notAfterDate,
  });
  return `${pems.private.trim()}\n${pems.cert.trim()}\n`;
}

function splitPem(pem: string): ListenerCertificate {
  const blocks = pem.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? [];
  const privateKey = blocks.find((block) => block.includes("PRIVATE KEY"));
  const certificate = blocks.find((block) => block.includes("CERTIFICATE"));
  if (!privateKey || !certificate)
    throw new Error("agent-listener.pem holds no key and certificate: restore or remove it.");
  return { privateKey: `${privateKey}\n`, certificate: `${certificate}\n` };
}
