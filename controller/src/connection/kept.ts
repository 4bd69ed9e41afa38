import { readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { isErrno, readTextIfExists, syncDirectory, writeFileAtomic } from "@berth/base/node";
import { instantSchema, parseJson, proposalSchema } from "@berth/protocol";
import Type, { type Static } from "typebox";
import { Value } from "typebox/value";
import type { Settings } from "../settings/settings.ts";
import { StartError } from "../settings/start-error.ts";

/** A connection to somebody's Proxmox, as it lies in the data directory. */
export const keptConnectionSchema = Type.Object(
  { ...proposalSchema.properties, version: Type.Literal(1), savedAt: instantSchema },
  { additionalProperties: false },
);
export type KeptConnection = Static<typeof keptConnectionSchema>;

/** Where it lies; it holds the token's secret, and is readable to its owner alone. */
export function keptConnectionPath(dataDir: string): string {
  return join(dataDir, "proxmox-connection.json");
}

/** Removes what a controller left that was killed while it wrote: drafts with the token's secret in them. */
export async function removeDrafts(dataDir: string): Promise<void> {
  const prefix = `${basename(keptConnectionPath(dataDir))}.`;
  const drafts = (await readdir(dataDir)).filter((name) => name.startsWith(prefix) && name.endsWith(".tmp"));
  await Promise.all(drafts.map((name) => rm(join(dataDir, name), { force: true })));
}

/** Reads it; undefined: none was saved. Throws a `StartError` that names the file where it cannot be used. */
export async function readKeptConnection(dataDir: string): Promise<KeptConnection | undefined> {
  const path = keptConnectionPath(dataDir);
  const cure = "Restore it from a backup of the data directory, or remove it to set the connection up again.";
  let text: string | undefined;
  try {
    text = await readTextIfExists(path);
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "it failed";
    throw new StartError(`${path}, the connection to Proxmox, cannot be read (${reason}). ${cure}`, { cause: error });
  }
  if (text === undefined) return undefined;
  const value = parseJson(text);
  if (Value.Check(keptConnectionSchema, value)) return value;
  // The names of fields say what is wrong; their values may be a secret.
  const fields = new Set(Value.Errors(keptConnectionSchema, value).map(({ instancePath }) => instancePath.slice(1)));
  const where =
    value === undefined ? "it is not JSON" : `look at ${[...fields].filter(Boolean).join(", ") || "its fields"}`;
  throw new StartError(`${path}, the connection to Proxmox, is damaged: ${where}. ${cure}`);
}

/** Writes it, so that a crash at any instant leaves the one before or this one. */
export async function writeKeptConnection(dataDir: string, connection: KeptConnection): Promise<void> {
  await writeFileAtomic(keptConnectionPath(dataDir), `${JSON.stringify(connection, undefined, 2)}\n`, 0o600);
}

/** Removes it, for good once this resolves. */
export async function removeKeptConnection(dataDir: string): Promise<void> {
  try {
    await rm(keptConnectionPath(dataDir));
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
  await syncDirectory(dataDir);
}

/** What of the settings says which Proxmox is used, and what of it. */
export type ProxmoxSettings = Pick<Settings, "proxmox" | "pool" | "storage" | "bridge" | "vlan">;

/** The settings with a connection of the console's. What the environment says counts: where it names a Proxmox, alone. */
export function withConnection<S extends ProxmoxSettings>(
  settings: S,
  connection: Omit<KeptConnection, "version" | "savedAt"> | undefined,
): S {
  if (settings.proxmox || !connection) return settings;
  const { urls, tokenId, tokenSecret, fingerprints, pool, storage, bridge, vlan } = connection;
  return {
    ...settings,
    proxmox: {
      urls: urls.map((url) => url.replace(/\/+$/, "")),
      tokenId,
      tokenSecret,
      fingerprints: fingerprints.map((fingerprint) => fingerprint.toLowerCase().replaceAll(":", "")),
    },
    pool: settings.pool ?? pool,
    storage: settings.storage ?? storage,
    bridge: settings.bridge ?? bridge,
    vlan: settings.vlan ?? vlan,
  };
}
