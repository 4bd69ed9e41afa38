import { createHash, randomBytes } from "node:crypto";

/** A new bearer token: 256 random bits behind a prefix by which secret scanners know it. */
export function newBearer(): string {
  return `brt_${randomBytes(32).toString("base64url")}`;
}

/** A secret as it is kept. It is random, so that a plain SHA-256 cannot be guessed through. */
export function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}
