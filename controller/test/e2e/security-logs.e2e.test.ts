import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { agentConfigSchema, guestPaths, parseJson, terminalInput } from "@berth/protocol";
import { eventually, startMessagesStub } from "@berth/testkit";
import { Value } from "typebox/value";
import { describe, expect, it } from "vitest";
import { startBerth } from "./berth.ts";
import { ViewerSet } from "./sandbox-programs.ts";

const secret = (what: string) => `${what}-${randomBytes(12).toString("hex")}`;

/** Every file below a folder, joined. */
async function textOf(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return (await Promise.all(files.map((file) => readFile(file, "utf8")))).join("\n");
}

describe("the logs", () => {
  it("hold no secret and nothing that was typed or shown, even at their most talkative", async () => {
    const credential = secret("credential");
    const ownerSecret = secret("owner");
    const typed = secret("typed");
    const viewers = new ViewerSet();
    const stub = await startMessagesStub({ token: credential });
    const { ANTHROPIC_BASE_URL = "", ANTHROPIC_AUTH_TOKEN = "", ...env } = stub.environment;
    const berth = await startBerth({ env: { BERTH_LOG_LEVEL: "trace", ANTHROPIC_BASE_URL, ANTHROPIC_AUTH_TOKEN } });
    try {
      const sandbox = await berth.readySandbox({ env: { ...env, OWNER_SECRET: ownerSecret } });
      const { id } = await berth.openTerminal(sandbox.id, { kind: "exec", argv: ["cat"] });
      const viewer = await viewers.attach(berth, id);
      viewer.write(`${typed}\r`);
      await berth.client.call(terminalInput, { params: { id }, body: { text: `${typed} by a script`, submit: true } });
      await viewer.waitForText(`${typed} by a script`);
      const claude = await berth.openTerminal(sandbox.id, { kind: "claude" });
      const prompt = await viewers.attach(berth, claude.id);
      await prompt.waitForText(/^\s*❯/m, 20_000);
      prompt.write(`say ${typed}`);
      await prompt.waitForText(typed);
      prompt.write("\r");
      await prompt.waitForText(/●\s+typed/, 20_000);
      // Refusals and failures are logged too.
      const wrong = secret("wrong");
      await fetch(`${berth.url}/api/v1/auth/login`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ username: "admin", password: wrong }),
      });
      await fetch(`${berth.url}/api/v1/auth/me`, { headers: { authorization: `Bearer ${wrong}` } });
      const config = await readFile(join(await berth.rootOf(sandbox), guestPaths.agentConfig), "utf8");
      const agentSecret = Value.Parse(agentConfigSchema, parseJson(config)).secret;
      const inSandbox = await textOf(join(await berth.rootOf(sandbox), "var/log"));
      expect(inSandbox).toContain("linked to the controller");
      await berth.stop();
      const said = `${berth.process.stdout}\n${berth.process.stderr}\n${inSandbox}`;
      expect(said).toMatch(/"level":(10|20)/);
      const secrets = { credential, ownerSecret, typed, wrong, agentSecret, token: berth.token };
      const { BERTH_ADMIN_PASSWORD: password = "" } = berth.env;
      for (const [name, value] of Object.entries({ ...secrets, password })) {
        expect(value.length, name).toBeGreaterThan(10);
        expect(said.includes(value), `the ${name} in the logs`).toBe(false);
      }
    } finally {
      await viewers.closeAll();
      await berth.dispose();
      await stub.dispose();
    }
  });

  it("do not have the set-up token outside of the link that is printed, nor what was set with it", async () => {
    const berth = await startBerth({ withoutPassword: true, env: { BERTH_LOG_LEVEL: "trace" } });
    try {
      const output = () => `${berth.process.stdout}\n${berth.process.stderr}`;
      const token = await eventually(() => /#setup=([A-Za-z0-9_-]{43})/.exec(output())?.[1], {
        what: "the set-up link",
      });
      const password = secret("password");
      const response = await fetch(`${berth.url}/api/v1/auth/setup`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ token, password }),
      });
      const session = /"token":"([^"]+)"/.exec(await response.text())?.[1] ?? "";
      expect(response.status).toBe(200);
      expect(session.length).toBeGreaterThan(20);
      await berth.stop();
      expect(output().split(token)).toHaveLength(2);
      expect(output()).not.toContain(password);
      expect(output()).not.toContain(session);
    } finally {
      await berth.dispose();
    }
  });
});
