import { proxmoxError } from "../error.ts";

/** How a server proves that it is the one. There is no third way, and no way to leave it out. */
export type CertificateTrust =
  /** The server's own certificate has one of these SHA-256 fingerprints (`AA:BB:…`; each node has its own). */
  | { readonly kind: "fingerprint"; readonly fingerprints: readonly string[] }
  /** A CA vouches for the server's name: those in `pem`, or without it the ones that Node and the system know. */
  | { readonly kind: "ca"; readonly pem?: string };

/**
 * Parses SHA-256 fingerprints separated by commas: `AA:BB:…` or plain hex, in any case, with or without a
 * `SHA256` prefix as openssl prints it. Throws a ProxmoxError of kind `settings`.
 */
export function parseFingerprints(text: string): string[] {
  const parts = text.split(",").filter((part) => part.trim() !== "");
  if (parts.length === 0) throw settingsError("PROXMOX_FINGERPRINT is empty");
  return parts.map(normaliseFingerprint);
}

/** One fingerprint as `AA:BB:…`. Throws a ProxmoxError of kind `settings`. */
export function normaliseFingerprint(text: string): string {
  const hex = text
    .trim()
    .replace(/^sha-?256(?: fingerprint)?[=:\s]/i, "")
    .replaceAll(":", "")
    .toUpperCase();
  if (!/^[0-9A-F]{64}$/.test(hex)) {
    throw settingsError(
      `"${text}" is not a SHA-256 certificate fingerprint (PROXMOX_FINGERPRINT): 32 bytes in hex, AA:BB:…`,
    );
  }
  return (hex.match(/../g) ?? []).join(":");
}

function settingsError(detail: string): Error {
  return proxmoxError({ kind: "settings", detail });
}

/** The trust with its fingerprints in the form that they are compared in. Throws a ProxmoxError of kind `settings`. */
export function normaliseTrust(trust: CertificateTrust): CertificateTrust {
  if (trust.kind === "ca") return trust;
  if (trust.fingerprints.length === 0) throw settingsError("PROXMOX_FINGERPRINT is empty");
  return { kind: "fingerprint", fingerprints: trust.fingerprints.map(normaliseFingerprint) };
}
