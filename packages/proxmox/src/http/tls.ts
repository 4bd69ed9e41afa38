import { type ConnectionOptions, createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import type { ServerAddress } from "./address.ts";
import type { CertificateTrust } from "./trust.ts";

/** What every connection to a server has in common. */
export function tlsOptions(address: ServerAddress): ConnectionOptions {
  const { host, port, serverName } = address;
  return {
    host,
    port,
    ...(serverName === "" ? {} : { servername: serverName }),
    // The reason phrase carries PVE's errors, and HTTP/2 has none.
    ALPNProtocols: ["http/1.1"],
  };
}

/** The certificates of a trust are parsed once, not for each connection: there may be hundreds. */
const contexts = new WeakMap<CertificateTrust, SecureContext>();

/** The TLS context of a trust; a CA's certificates, or those that Node and the system know. */
export function contextOf(trust: CertificateTrust): SecureContext {
  const known = contexts.get(trust);
  if (known) return known;
  const ca =
    trust.kind === "ca" ? (trust.pem ?? [...getCACertificates("default"), ...getCACertificates("system")]) : [];
  const made = createSecureContext({ minVersion: "TLSv1.2", ca });
  contexts.set(trust, made);
  return made;
}

/** Why no connection came about, as the end of a sentence. */
export function connectDetail(address: ServerAddress, error: Error): string {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  switch (code) {
    case "ECONNREFUSED":
      return `nothing listens on port ${address.port} (connection refused)`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `the name ${address.host} cannot be resolved`;
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return "there is no route to it";
    case "ETIMEDOUT":
      return "no answer to the attempt to connect";
    default:
      return /wrong version number|packet length too long/i.test(error.message)
        ? `port ${address.port} does not speak TLS`
        : error.message || code || "the connection failed";
  }
}
