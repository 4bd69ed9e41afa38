import { chmod, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { type TemporaryDirectory, temporaryDirectory } from "@berth/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type KeptConnection,
  keptConnectionPath,
  readKeptConnection,
  removeDrafts,
  removeKeptConnection,
  withConnection,
  writeKeptConnection,
} from "../src/connection/kept.ts";
import { requireAdmin } from "../src/http/access.ts";
import { parseSettings } from "../src/settings/settings.ts";
import { StartError } from "../src/settings/start-error.ts";

const secret = "01234567-89ab-cdef-0123-456789abcdef";
const kept: KeptConnection = {
  version: 1,
  savedAt: "2026-01-02T03:04:05.000Z",
  urls: ["https://192.168.1.2:8006/", "https://192.168.1.3:8006"],
  tokenId: "berth@pve!berth",
  tokenSecret: secret,
  fingerprints: [Array.from({ length: 32 }, () => "AB").join(":")],
  pool: "sandboxes",
  vlan: 20,
};

let folder: TemporaryDirectory;
beforeEach(async () => {
  folder = await temporaryDirectory("berth-connection-");
});
afterEach(() => folder.dispose());

async function messageOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof StartError)) throw new Error(`no StartError: ${String(error)}`);
  return error.message;
}

describe("the connection in the data directory", () => {
  it("is read as it was written, is its owner's alone, and leaves nothing beside it", async () => {
    expect(await readKeptConnection(folder.path)).toBeUndefined();
    await writeKeptConnection(folder.path, kept);
    await writeKeptConnection(folder.path, { ...kept, vlan: 30 });
    expect(await readKeptConnection(folder.path)).toEqual({ ...kept, vlan: 30 });
    expect((await stat(keptConnectionPath(folder.path))).mode & 0o777).toBe(0o600);
    expect(await readdir(folder.path)).toHaveLength(1);
    await removeKeptConnection(folder.path);
    await removeKeptConnection(folder.path);
    expect(await readdir(folder.path)).toEqual([]);
  });

  it.each([
    ["is cut short", (text: string) => text.slice(0, text.length / 2), /it is not JSON/],
    ["is empty", () => "", /it is not JSON/],
    [
      "has an address without TLS",
      (text: string) => text.replace("https://192.168.1.3", "http://192.168.1.3"),
      /urls\/1/,
    ],
    ["has a secret that is none", (text: string) => text.replace(secret, `${secret}x`), /tokenSecret/],
    ["is of another version", (text: string) => text.replace('"version": 1', '"version": 2'), /version/],
  ])("keeps Berth from starting when it %s, by its name and without the secret", async (_how, spoil, why) => {
    await writeKeptConnection(folder.path, kept);
    const path = keptConnectionPath(folder.path);
    await writeFile(path, spoil(await readFile(path, "utf8")));
    const message = await messageOf(readKeptConnection(folder.path));
    expect(message).toContain(path);
    expect(message).toMatch(why);
    expect(message).not.toContain(secret.slice(0, 8));
  });

  it("leaves no drafts of one that was killed while it wrote", async () => {
    await writeKeptConnection(folder.path, kept);
    await writeFile(`${keptConnectionPath(folder.path)}.0123456789ab.tmp`, secret);
    await writeFile(`${folder.path}/other.tmp`, "");
    await removeDrafts(folder.path);
    expect((await readdir(folder.path)).toSorted()).toEqual(["other.tmp", "proxmox-connection.json"]);
  });

  it.skipIf(process.getuid?.() === 0)("says so when it may not be read", async () => {
    await writeKeptConnection(folder.path, kept);
    await chmod(keptConnectionPath(folder.path), 0);
    expect(await messageOf(readKeptConnection(folder.path))).toMatch(/cannot be read \(EACCES\)/);
  });
});

describe("which Proxmox is used", () => {
  const parsed = (env: Record<string, string>) => parseSettings(env, { dataDir: "/data" }).settings;

  it("is the kept one where the environment names none", () => {
    const { proxmox, pool, storage, vlan } = withConnection(parsed({}), kept);
    expect(proxmox).toEqual({
      urls: ["https://192.168.1.2:8006", "https://192.168.1.3:8006"],
      tokenId: "berth@pve!berth",
      tokenSecret: secret,
      fingerprints: ["ab".repeat(32)],
    });
    expect({ pool, storage, vlan }).toEqual({ pool: "sandboxes", storage: undefined, vlan: 20 });
  });

  it("is the environment's alone where that names one, and the bundled one where nobody does", () => {
    const env = { PROXMOX_URL: "https://pve:8006", PROXMOX_TOKEN_ID: "a@pve!b", PROXMOX_TOKEN_SECRET: secret };
    const settings = parsed(env);
    expect(withConnection(settings, kept)).toEqual(settings);
    expect(withConnection(parsed({}), undefined).proxmox).toBeUndefined();
  });

  it("takes single settings of the environment over the kept ones", () => {
    expect(withConnection(parsed({ PROXMOX_POOL: "mine" }), kept)).toMatchObject({ pool: "mine", vlan: 20 });
  });
});

describe("what is for admins", () => {
  it("is refused to everybody else", () => {
    expect(() => requireAdmin({ user: { role: "admin" } })).not.toThrow();
    expect(() => requireAdmin({ user: { role: "user" } })).toThrow(/admins/);
  });
});
