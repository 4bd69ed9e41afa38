import { sshFingerprint } from "@berth/base/node";
import type { Kysely } from "kysely";
import type { PublicKeyAuthContext } from "ssh2";
import ssh2 from "ssh2";
import type { SandboxRow } from "../sandboxes/record.ts";
import type { Database } from "../store/tables.ts";
import { isSignedByHardware } from "./hardware-signature.ts";

/** Whose key it is that a connection has signed in with. */
export interface SignedIn {
  readonly keyFingerprint: string;
  /** Mostly one: nothing keeps two users from registering the same key. */
  readonly userIds: readonly string[];
}

/** Who may come, by the keys that users have registered. */
export class People {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  /**
   * Whom the offered key belongs to, if it is registered and what is signed is signed by it; undefined otherwise. The
   * same work for every key, and none that depends on the name that was asked for.
   */
  async identify(offer: PublicKeyAuthContext): Promise<SignedIn | undefined> {
    const keyFingerprint = sshFingerprint(offer.key.data);
    const rows = await this.#db
      .selectFrom("ssh_keys")
      .select(["user_id", "public_key"])
      .where("fingerprint", "=", keyFingerprint)
      .orderBy("created_at")
      .execute();
    const [row] = rows;
    if (!row || !isSigned(offer, row.public_key)) return undefined;
    return { keyFingerprint, userIds: rows.map(({ user_id }) => user_id) };
  }

  /** Whose key it is now: some of them, or nobody, may have removed it. */
  async holders(keyFingerprint: string): Promise<string[]> {
    const rows = await this.#db
      .selectFrom("ssh_keys")
      .select("user_id")
      .where("fingerprint", "=", keyFingerprint)
      .orderBy("created_at")
      .execute();
    return rows.map(({ user_id }) => user_id);
  }

  /** A sandbox of one of these users, by its name or id. */
  async sandbox(reference: string, userIds: readonly string[]): Promise<SandboxRow | undefined> {
    if (userIds.length === 0) return undefined;
    return (
      this.#db
        .selectFrom("sandboxes")
        .selectAll()
        // A name is a DNS label and has no underscore, so it is never an id.
        .where(reference.includes("_") ? "id" : "name", "=", reference)
        .where("owner_id", "in", userIds)
        .executeTakeFirst()
    );
  }

  /** A sandbox of one of these users, by its address. */
  sandboxAt(address: string, userIds: readonly string[]): Promise<SandboxRow | undefined> {
    return this.#db
      .selectFrom("sandboxes")
      .selectAll()
      .where("address", "=", address)
      .where("owner_id", "in", userIds)
      .executeTakeFirst();
  }

  /** The sandboxes of these users by name. */
  sandboxes(userIds: readonly string[]): Promise<Pick<SandboxRow, "name" | "state">[]> {
    return this.#db
      .selectFrom("sandboxes")
      .select(["name", "state"])
      .where("owner_id", "in", userIds)
      .orderBy("name")
      .limit(1000)
      .execute();
  }
}

/** Whether the offer is right: one without a signature only asks whether the key would do. */
function isSigned(offer: PublicKeyAuthContext, registered: string): boolean {
  const { key, signature, blob, hashAlgo } = offer;
  if (signature === undefined || blob === undefined) return true;
  if (key.algo.startsWith("sk-")) return isSignedByHardware(key.data, blob, signature);
  // Without a hash of its own, RSA would be with SHA-1.
  if (key.algo === "ssh-rsa" && hashAlgo === undefined) return false;
  const parsed = ssh2.utils.parseKey(registered);
  if (parsed instanceof Error || parsed.type !== key.algo || !parsed.getPublicSSH().equals(key.data)) return false;
  return parsed.verify(blob, signature, hashAlgo) === true;
}
