import { hash, verify } from "@node-rs/argon2";

/** Argon2id as OWASP's password storage cheat sheet has it: 19 MiB, two passes, one lane. */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

let decoy: Promise<string> | undefined;

/** A password as it is kept. Takes some 30 ms, in a thread of its own. */
export function hashPassword(password: string): Promise<string> {
  return hash(password, cost);
}

/** Whether a password is the one that was hashed. Without a hash it takes as long and answers false. */
export async function verifyPassword(kept: string | null | undefined, password: string): Promise<boolean> {
  if (kept) return verify(kept, password);
  // Names that do not exist must not answer faster than those that do.
  decoy ??= hashPassword("nobody has this password");
  await verify(await decoy, password);
  return false;
}
