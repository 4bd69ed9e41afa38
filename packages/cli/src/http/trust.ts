import { X509Certificate } from "node:crypto";
import { type ConnectionOptions, connect, getCACertificates, type PeerCertificate } from "node:tls";
import { unreachable } from "../failure.ts";

/** By what a controller's certificate is verified. There is no way to leave that out. */
export type Trust =
  /** The authorities of Node and of the system, and these. */
  | { readonly kind: "authorities"; readonly ca?: string }
  /** This very certificate, whoever signed it and whatever name is in it. */
  | { readonly kind: "pinned"; readonly fingerprint: string; readonly certificate: string };

/** TLS options that hold a connection to a trust. */
export function tlsOptions(trust: Trust): ConnectionOptions {
  if (trust.kind === "pinned") {
    return {
      ca: trust.certificate,
      allowPartialTrustChain: true,
      checkServerIdentity: (_host, certificate) => pinMismatch(trust.fingerprint, certificate),
    };
  }
  const ca = [...getCACertificates("default"), ...getCACertificates("system")];
  return { ca: trust.ca === undefined ? ca : [...ca, trust.ca] };
}

function pinMismatch(fingerprint: string, certificate: PeerCertificate): Error | undefined {
  if (normalFingerprint(certificate.fingerprint256) === fingerprint) return undefined;
  return new Error(`it shows another certificate than the pinned one: ${certificate.fingerprint256}`);
}

/** 64 hex digits of a SHA-256 fingerprint in any usual spelling; undefined if it is none. */
export function normalFingerprint(text: string): string | undefined {
  const digits = text
    .replace(/^sha-?256[:=]?/i, "")
    .replace(/[:\s]/g, "")
    .toLowerCase();
  return /^[0-9a-f]{64}$/.test(digits) ? digits : undefined;
}

/** A trust in the certificate that a server shows, if its fingerprint is this one; rejects with `CommandFailed` if not. */
export async function pin(url: URL, fingerprint: string, signal?: AbortSignal): Promise<Trust> {
  const shown = await shownCertificate(url, signal);
  if (normalFingerprint(shown.fingerprint256) === fingerprint) {
    return { kind: "pinned", fingerprint, certificate: shown.toString() };
  }
  throw unreachable(
    `${url.host} shows another certificate, with the fingerprint ${shown.fingerprint256}.`,
    "Compare the fingerprint with the controller's own certificate: somebody may stand in between.",
  );
}

/**
 * The certificate that a server shows, whoever signed it: to be compared with a fingerprint. Nothing is sent over that
 * connection, and what comes later goes over others, which are verified by what was found here.
 */
async function shownCertificate(url: URL, signal?: AbortSignal): Promise<X509Certificate> {
  const { promise, resolve, reject } = Promise.withResolvers<X509Certificate>();
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const socket = connect({ host, port: Number(url.port || 443), rejectUnauthorized: false });
  const abort = () => socket.destroy(new Error("interrupted"));
  signal?.addEventListener("abort", abort, { once: true });
  socket.setTimeout(10_000, () => socket.destroy(new Error("no answer within 10 s")));
  socket.once("error", reject);
  socket.once("secureConnect", () => resolve(new X509Certificate(socket.getPeerCertificate(true).raw)));
  try {
    return await promise;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw unreachable(
      `${url.host} does not answer: ${why}.`,
      "Check the address, and that the controller runs.",
      error,
    );
  } finally {
    signal?.removeEventListener("abort", abort);
    socket.destroy();
  }
}
