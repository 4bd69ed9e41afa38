import { connect, type TLSSocket } from "node:tls";
import { after, type Clock } from "@berth/base";
import { proxmoxError } from "../error.ts";
import { parseAddress, type ServerAddress } from "./address.ts";
import { connectDetail, contextOf, tlsOptions } from "./tls.ts";
import type { CertificateTrust } from "./trust.ts";

/** A server's certificate, as it shows it to anybody. */
export interface PresentedCertificate {
  /** `https://host:port` */
  readonly address: string;
  /** SHA-256, `AA:BB:…`. */
  readonly fingerprint: string;
  /** Names, a line each (`CN=pve1.lan`), of whom it is for and of who has made it. */
  readonly subject: string;
  readonly issuer: string;
  readonly validFrom: Date;
  readonly validTo: Date;
  /** Why the authorities that Node and the system know do not vouch for it; undefined: they do, for this very name. */
  readonly distrust: string | undefined;
}

/** Whom a certificate that nobody vouches for is compared with. */
const systemAuthorities: CertificateTrust = { kind: "ca" };
/** The longest name that is taken from a certificate. */
const maxNameLength = 500;

/**
 * Looks at the certificate that a server shows, for a person to compare. Nothing but the TLS handshake is sent. Throws a
 * ProxmoxError: `settings` for what is no `https://` address, `unreachable` if no handshake came about.
 */
export async function lookAtCertificate(
  url: string,
  { timeoutMs, clock }: { readonly timeoutMs: number; readonly clock: Clock },
): Promise<PresentedCertificate> {
  const address = parseAddress(url);
  try {
    return await presentedCertificate(address, timeoutMs, clock);
  } catch (cause) {
    const detail = cause instanceof Error ? connectDetail(address, cause) : String(cause);
    throw proxmoxError({ kind: "unreachable", address: address.origin, detail }, { cause });
  }
}

/** The same for an address that is parsed already. Rejects with the socket's error, or a plain one after `timeoutMs`. */
export function presentedCertificate(
  address: ServerAddress,
  timeoutMs: number,
  clock: Clock,
): Promise<PresentedCertificate> {
  return new Promise((resolve, reject) => {
    // Trusted for nothing: it is looked at and closed.
    const socket = connect({
      ...tlsOptions(address),
      secureContext: contextOf(systemAuthorities),
      rejectUnauthorized: false,
    });
    const callOffTimeout = after(clock, timeoutMs, () =>
      socket.destroy(new Error(`no connection within ${timeoutMs} ms`)),
    );
    socket.on("error", reject);
    socket.once("close", () => {
      callOffTimeout();
      reject(new Error("the connection was closed during the TLS handshake"));
    });
    socket.once("secureConnect", () => {
      const certificate = read(address, socket);
      if (certificate) resolve(certificate);
      else reject(new Error("it shows no certificate"));
      socket.destroy();
    });
  });
}

function read(address: ServerAddress, socket: TLSSocket): PresentedCertificate | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) return undefined;
  // Node's types have an Error here; it is the code of one, such as SELF_SIGNED_CERT_IN_CHAIN.
  const reason: unknown = socket.authorizationError;
  return {
    address: address.origin,
    fingerprint: certificate.fingerprint256,
    subject: bounded(certificate.subject),
    issuer: bounded(certificate.issuer),
    validFrom: certificate.validFromDate,
    validTo: certificate.validToDate,
    distrust: socket.authorized ? undefined : bounded(reason instanceof Error ? reason.message : String(reason)),
  };
}

/** It is somebody else's text: of certificates without names it is not even there. */
function bounded(text: string | undefined): string {
  return (text ?? "").slice(0, maxNameLength);
}
