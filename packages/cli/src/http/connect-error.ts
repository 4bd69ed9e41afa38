import { type CommandFailed, unreachable } from "../failure.ts";

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there",
  ECONNRESET: "the connection was cut",
  ENOTFOUND: "there is no host of that name",
  EAI_AGAIN: "the name cannot be looked up at the moment",
  EHOSTUNREACH: "there is no way to that host",
  ENETUNREACH: "there is no way to that network",
  ETIMEDOUT: "there was no answer in time",
};

const certificateCodes =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|CERT_|ERR_TLS_CERT|ERR_SSL|HOSTNAME_MISMATCH)/;

/** What to tell of a call that got no answer. */
export function connectError(url: URL, error: unknown): CommandFailed {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  const message = error instanceof Error ? error.message : String(error);
  if (certificateCodes.test(code) || message.includes("pinned")) {
    return unreachable(
      `The certificate of ${url.host} cannot be verified: ${message}.`,
      "Name its authority with berth login URL --ca FILE, or the certificate itself with --fingerprint SHA256.",
      error,
    );
  }
  return unreachable(
    `The controller at ${url.origin} does not answer: ${words[code] ?? message}.`,
    "Check that it runs and that this machine can reach it; berth login URL names another one.",
    error,
  );
}
