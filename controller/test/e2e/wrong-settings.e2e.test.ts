import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readinessSchema } from "@berth/protocol";
import { processesWithEnvironment, spawnProcess } from "@berth/testkit";
import Type, { type Static } from "typebox";
import { Value } from "typebox/value";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, freePorts, prepareBerth, startBerth } from "./berth.ts";

const program = fileURLToPath(new URL("../../dist/main.mjs", import.meta.url));

const proxmoxSchema = Type.Object({ url: Type.String(), fingerprint: Type.String(), token: Type.String() });

/** Runs a controller that cannot start; answers what it said. */
async function failedStart(env: Record<string, string>): Promise<{ code: number | null; said: string }> {
  const berth = await prepareBerth();
  const child = spawnProcess({ command: process.execPath, args: [program], env: { ...berth.env, ...env } });
  const { code } = await child.exited;
  const dataDir = env.BERTH_DATA_DIR ?? berth.dataDir;
  expect(await processesWithEnvironment("BERTH_DATA_DIR", dataDir), "what it had begun is stopped").toEqual([]);
  const said =
    child.stderr
      .split("\n")
      .filter((line) => line.startsWith("berth: "))
      .at(-1) ?? child.stderr;
  await berth.dispose();
  return { code, said };
}

/** One sentence (or one a variable) for people: no stack, and a cure. */
function expectSentence({ code, said }: { code: number | null; said: string }, ...parts: RegExp[]): void {
  expect(code, said).toBe(1);
  for (const part of parts) expect(said).toMatch(part);
  expect(said).not.toMatch(/^\s+at /m);
}

describe("a controller with wrong settings", () => {
  it("names a variable that is not what it must be", async () => {
    expectSentence(await failedStart({ BERTH_PORT: "many" }), /BERTH_PORT/, /port number/);
  });

  it("says that the database cannot be reached", async () => {
    const [port] = await freePorts(1);
    expectSentence(
      await failedStart({ DATABASE_URL: `postgres://u:secret@127.0.0.1:${port}/x` }),
      /PostgreSQL/,
      /DATABASE_URL/,
    );
  });

  it("names the kept connection to Proxmox that is damaged", async () => {
    const berth = await prepareBerth();
    await mkdir(berth.dataDir, { recursive: true, mode: 0o700 });
    await writeFile(join(berth.dataDir, "proxmox-connection.json"), '{"version":1,"tokenSecret":"half');
    const failed = await failedStart({ BERTH_DATA_DIR: berth.dataDir });
    expectSentence(failed, /proxmox-connection\.json/, /damaged/, /backup/);
    expect(failed.said).not.toContain("half");
    await berth.dispose();
  });

  it("says that the data directory cannot be used", async () => {
    const berth = await prepareBerth();
    await mkdir(join(berth.dataDir, ".."), { recursive: true });
    await writeFile(berth.dataDir, "a file where the folder should be");
    await chmod(berth.dataDir, 0o600);
    expectSentence(await failedStart({ BERTH_DATA_DIR: berth.dataDir }), /data directory/, /BERTH_DATA_DIR/);
    await berth.dispose();
  });

  it("says that half of a Proxmox token is missing", async () => {
    expectSentence(await failedStart({ PROXMOX_URL: "https://127.0.0.1:8006" }), /PROXMOX_TOKEN/);
  });

  describe("that finds its port taken", () => {
    let holder: Server;
    beforeAll(async () => {
      holder = createServer();
      // Of every address: people's and agents' listeners are not on the same one.
      await new Promise<void>((resolve) => holder.listen(0, "0.0.0.0", resolve));
    });
    afterAll(() => new Promise((resolve) => holder.close(resolve)));

    it("names the port and the variable, for people and for agents", async () => {
      const address = holder.address();
      const port = String(address !== null && typeof address === "object" ? address.port : 0);
      expectSentence(await failedStart({ BERTH_PORT: port }), new RegExp(port), /BERTH_PORT/);
      expectSentence(await failedStart({ BERTH_AGENT_PORT: port }), new RegExp(port), /BERTH_AGENT_PORT/);
    });
  });
});

describe("a controller whose Proxmox cannot be used", () => {
  const token = { PROXMOX_TOKEN_ID: "berth@pve!berth", PROXMOX_TOKEN_SECRET: "11111111-2222-3333-4444-555555555555" };
  let other: Berth;
  let proxmox: Static<typeof proxmoxSchema>;

  beforeAll(async () => {
    other = await startBerth();
    proxmox = Value.Parse(
      proxmoxSchema,
      JSON.parse(await readFile(join(other.dataDir, "proxmox", "emulator.json"), "utf8")),
    );
  });
  afterAll(() => other.dispose());

  /** What `/readyz` of a Berth with these settings says of Proxmox. */
  async function proxmoxCheck(env: Record<string, string>) {
    const berth = await startBerth({ env });
    try {
      const response = await fetch(`${berth.url}/readyz`);
      const { checks } = Value.Parse(readinessSchema, await response.json());
      return { status: response.status, ok: checks.proxmox?.ok, error: checks.proxmox?.error };
    } finally {
      await berth.dispose();
    }
  }

  it("runs, is not ready, and says that nothing answers", async () => {
    const [port] = await freePorts(1);
    const check = await proxmoxCheck({ ...token, PROXMOX_URL: `https://127.0.0.1:${port}` });
    expect(check).toMatchObject({ status: 503, ok: false });
    expect(check.error?.message).toContain(String(port));
  });

  it("names both fingerprints when the certificate is another one", async () => {
    const wrong = "AB:".repeat(31).concat("AB");
    const check = await proxmoxCheck({ ...token, PROXMOX_URL: proxmox.url, PROXMOX_FINGERPRINT: wrong });
    expect(check).toMatchObject({ status: 503, ok: false });
    expect(`${check.error?.message} ${check.error?.hint}`.toUpperCase()).toContain(proxmox.fingerprint);
  });

  it("says that the token is not accepted", async () => {
    const check = await proxmoxCheck({ ...token, PROXMOX_URL: proxmox.url, PROXMOX_FINGERPRINT: proxmox.fingerprint });
    expect(check).toMatchObject({ status: 503, ok: false });
    expect(`${check.error?.message} ${check.error?.hint}`).toMatch(/PROXMOX_TOKEN/);
  });

  it("is ready with the right ones", async () => {
    const [id = "", secret = ""] = proxmox.token.split("=");
    const check = await proxmoxCheck({
      PROXMOX_URL: proxmox.url,
      PROXMOX_FINGERPRINT: proxmox.fingerprint,
      PROXMOX_TOKEN_ID: id,
      PROXMOX_TOKEN_SECRET: secret,
    });
    expect(check).toMatchObject({ status: 200, ok: true });
  });
});
