import { ApiError } from "../http/api-error.ts";

/** The blob of a public key: its first field is the length and name of its type. */
function typeOfBlob(blob: string): string | undefined {
  const bytes = Buffer.from(blob, "base64");
  if (bytes.length < 4) return undefined;
  const length = bytes.readUInt32BE(0);
  return length > 0 && bytes.length > 4 + length ? bytes.toString("latin1", 4, 4 + length) : undefined;
}

/** Whether a line is a public key in OpenSSH's form, with or without options before it. */
function isPublicKey(line: string): boolean {
  const words = line.trim().split(/\s+/);
  return words.some((word, index) => {
    const blob = words[index + 1] ?? "";
    return /^[A-Za-z0-9+/]+=*$/.test(blob) && typeOfBlob(blob) === word;
  });
}

/** The keys, one a line; throws what PVE says when one is none. */
export function verifiedPublicKeys(text: string): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  if (!lines.every(isPublicKey)) throw ApiError.died("SSH public key validation error");
  return lines.join("\n");
}
