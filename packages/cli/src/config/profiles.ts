import { stat } from "node:fs/promises";
import { join } from "node:path";
import { isErrno, makePrivateDirectory, readTextIfExists, writeFileAtomic } from "@berth/base/node";
import { parseJson } from "@berth/protocol";
import Type, { type Static } from "typebox";
import { Value } from "typebox/value";
import { exitCodes } from "../exit-codes.ts";
import { CommandFailed } from "../failure.ts";

const profileSchema = Type.Object({
  /** The controller's address, without a path. */
  url: Type.String({ pattern: "^https?://" }),
  /** An API token. */
  token: Type.String({ minLength: 1 }),
  /** The token's id, by which it is revoked at the sign-out. */
  tokenId: Type.String(),
  username: Type.String(),
  /** Certificates to believe besides those of the system, as PEM. */
  ca: Type.Optional(Type.String()),
  /** SHA-256 of the one certificate to believe; then `ca` is that certificate. */
  fingerprint: Type.Optional(Type.String()),
});
/** One controller, and how one is signed in there. */
export type Profile = Static<typeof profileSchema>;

const fileSchema = Type.Object({
  /** The profile that counts where none is named. */
  current: Type.Union([Type.String(), Type.Null()]),
  profiles: Type.Record(Type.String(), profileSchema),
});
export type ProfileFile = Static<typeof fileSchema>;

/** Profile names: they are keys of a file and words of a command line. */
export const profileNamePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

const empty: ProfileFile = { current: null, profiles: {} };

/** The controllers that somebody has signed in to, in a file for them alone. */
export class Profiles {
  readonly path: string;
  readonly #folder: string;

  constructor(configDir: string) {
    this.#folder = configDir;
    this.path = join(configDir, "credentials.json");
  }

  /** Rejects with `CommandFailed` where the file is damaged, or open to others: it holds tokens. */
  async read(): Promise<ProfileFile> {
    const text = await readTextIfExists(this.path);
    if (text === undefined) return empty;
    await this.#refuseOpen();
    const value = parseJson(text);
    if (Value.Check(fileSchema, value)) return value;
    throw new CommandFailed(
      exitCodes.failed,
      "bad_credentials_file",
      `${this.path} is damaged.`,
      "Remove it and sign in again with berth login.",
    );
  }

  async write(file: ProfileFile): Promise<void> {
    await makePrivateDirectory(this.#folder);
    await writeFileAtomic(this.path, `${JSON.stringify(file, null, 2)}\n`, 0o600);
  }

  async #refuseOpen(): Promise<void> {
    const mode = await stat(this.path).then(
      (facts) => facts.mode,
      (error: unknown) => {
        if (isErrno(error, "ENOENT")) return 0;
        throw error;
      },
    );
    if ((mode & 0o077) === 0) return;
    throw new CommandFailed(
      exitCodes.failed,
      "open_credentials_file",
      `Others may read ${this.path}, and it holds tokens.`,
      `Close it: chmod 600 ${this.path}`,
    );
  }
}
