import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { after, type Clock } from "@berth/base";
import type { FailureOf } from "../failure.ts";
import type { ServerAddress } from "./address.ts";
import { presentedCertificate } from "./presented-certificate.ts";
import { connectDetail, contextOf, tlsOptions } from "./tls.ts";
import type { CertificateTrust } from "./trust.ts";

/** No connection: nothing was sent, so the call has surely not acted and another address may be tried. */
export class ConnectFailed extends Error {
  readonly failure: FailureOf<"unreachable"> | FailureOf<"certificate">;

  constructor(failure: ConnectFailed["failure"], cause?: unknown) {
    super(failure.detail, { cause });
    this.failure = failure;
  }
}

/** A socket on its way; `destroy` ends it at any stage. */
export interface PendingSocket {
  /** The socket once its peer is verified; rejects with ConnectFailed. Nothing but the handshake was sent until then. */
  readonly verified: Promise<TLSSocket>;
  destroy(): void;
}

/**
 * Connects and verifies the peer before anybody gets hold of the socket.
 *
 * - With a CA, Node does it: the handshake fails unless the chain and the name are right.
 * - With a pinned fingerprint, the chain says nothing (PVE's certificate is signed by a CA of its own), and Node's hook
 *   `checkServerIdentity` only runs after a good chain. So Node's own verdict is put aside and this function gives
 *   its own: the SHA-256 of the peer's certificate, whose key the handshake has just proven. It is compared in the
 *   `secureConnect` event, the first at which application data could be sent, and the socket leaves this function
 *   only when it matched. No HTTP client has seen the socket before, so no header can have been written.
 *
 * No session is ever resumed: each connection shows the certificate anew.
 */
export function openVerifiedSocket(
  address: ServerAddress,
  trust: CertificateTrust,
  timeoutMs: number,
  clock: Clock,
): PendingSocket {
  const socket = connect({ ...tlsOptions(address), ...trustOptions(trust) });
  // For good: an error without a listener would end the process, and the HTTP client adds its own a tick later.
  socket.on("error", () => {});
  const verified = new Promise<TLSSocket>((resolve, reject) => {
    const settle = () => {
      callOffTimeout();
      socket.off("error", onError).off("close", onClose);
    };
    const fail = (failure: ConnectFailed) => {
      settle();
      socket.destroy();
      reject(failure);
    };
    const onError = (error: Error) => {
      settle();
      connectError(address, trust, error, timeoutMs, clock).then(reject, reject);
    };
    const onClose = () => fail(unreachableAt(address, "the connection was closed during the TLS handshake"));
    const callOffTimeout = after(clock, timeoutMs, () =>
      fail(unreachableAt(address, `no connection within ${timeoutMs} ms`)),
    );
    socket.on("error", onError).on("close", onClose);
    socket.once("secureConnect", () => {
      const mismatch = pinMismatch(address, trust, socket);
      if (mismatch) return fail(mismatch);
      settle();
      resolve(socket);
    });
  });
  return { verified, destroy: () => socket.destroy() };
}

/** For `rejectUnauthorized: false` see `openVerifiedSocket`: there the pin decides instead, and more strictly. */
function trustOptions(trust: CertificateTrust): ConnectionOptions {
  return { secureContext: contextOf(trust), rejectUnauthorized: trust.kind === "ca" };
}

function pinMismatch(address: ServerAddress, trust: CertificateTrust, socket: TLSSocket): ConnectFailed | undefined {
  if (trust.kind !== "fingerprint") return undefined;
  const seen = socket.getPeerX509Certificate()?.fingerprint256;
  if (seen !== undefined && trust.fingerprints.includes(seen)) return undefined;
  const detail = "the certificate's fingerprint is not the pinned one";
  return new ConnectFailed({
    kind: "certificate",
    address: address.origin,
    detail,
    seen,
    expected: trust.fingerprints,
  });
}

/** Codes of Node for chains and names that it does not accept (OpenSSL's X509_V_ERR_*). */
const CERTIFICATE_CODES =
  /^(?:ERR_TLS_CERT_|CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_|HOSTNAME_MISMATCH|ERROR_IN_CERT_)/;

async function connectError(
  address: ServerAddress,
  trust: CertificateTrust,
  error: Error,
  timeoutMs: number,
  clock: Clock,
): Promise<ConnectFailed> {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (trust.kind === "ca" && CERTIFICATE_CODES.test(code)) {
    const seen = await presentedCertificate(address, timeoutMs, clock).then(
      ({ fingerprint }) => fingerprint,
      () => undefined,
    );
    const failure = {
      kind: "certificate",
      address: address.origin,
      detail: error.message,
      seen,
      expected: [],
    } as const;
    return new ConnectFailed(failure, error);
  }
  return unreachableAt(address, connectDetail(address, error), error);
}

function unreachableAt(address: ServerAddress, detail: string, cause?: unknown): ConnectFailed {
  return new ConnectFailed({ kind: "unreachable", address: address.origin, detail }, cause);
}
