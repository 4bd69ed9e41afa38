import { getTerminal, listSshSessions, listTerminals, terminalScreen } from "@berth/protocol";
import { eventually, type MessagesStub, startMessagesStub } from "@berth/testkit";
import { spawn } from "node-pty";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";
import { type SshUser, sshUser } from "./ssh-user.ts";

describe("the SSH gateway, asked for NAME+claude", () => {
  let berth: Berth;
  let stub: MessagesStub;
  let user: SshUser;

  beforeAll(async () => {
    stub = await startMessagesStub();
    const { ANTHROPIC_BASE_URL = "", ANTHROPIC_AUTH_TOKEN = "" } = stub.environment;
    berth = await startBerth({ env: { ANTHROPIC_BASE_URL, ANTHROPIC_AUTH_TOKEN } });
    user = await sshUser(berth);
    await berth.readySandbox({ name: "web" });
  });
  afterAll(async () => {
    await user?.dispose();
    await berth?.dispose();
    await stub?.dispose();
  });

  const open = () => {
    const { PATH = "" } = process.env;
    const pty = spawn("ssh", [...user.options, "web+claude@gateway"], {
      cols: 100,
      rows: 30,
      env: { PATH, HOME: user.folder, TERM: "xterm-256color" },
    });
    let text = "";
    pty.onData((data) => {
      text += data;
    });
    const shows = (what: string) => eventually(() => text.includes(what), { timeoutMs: 30_000, what });
    return { pty, shows, ended: new Promise<void>((resolve) => pty.onExit(() => resolve())) };
  };

  it("shows the sandbox's Claude, and the same one to who comes again", async () => {
    const first = open();
    await first.shows("\u276f");
    first.pty.write("harbours and ships");
    const { items } = await berth.client.call(listTerminals, { params: { id: "web" } });
    const claudes = items.filter(({ kind }) => kind === "claude");
    expect(claudes).toMatchObject([{ cols: 100, rows: 30 }]);
    const id = claudes[0]?.id ?? "";
    const screen = async () => (await berth.client.call(terminalScreen, { params: { id } })).text;
    await eventually(async () => (await screen()).includes("harbours and ships"));
    first.pty.kill();
    await first.ended;
    const again = open();
    await again.shows("harbours");
    again.pty.resize(90, 25);
    await eventually(async () => (await berth.client.call(getTerminal, { params: { id } })).cols === 90);
    again.pty.kill();
    await again.ended;
    const ended = await eventually(async () => {
      const { items: sessions } = await berth.client.call(listSshSessions, { query: { sandbox: "web" } });
      return sessions.every(({ endedAt }) => endedAt !== null) ? sessions : undefined;
    });
    const typed = "harbours and ships".length;
    expect(ended).toMatchObject([
      { login: "web+claude", channels: { claude: 1 } },
      { login: "web+claude", channels: { claude: 1 }, bytesIn: typed },
    ]);
    for (const { bytesOut } of ended) expect(bytesOut).toBeGreaterThan(typed);
  });

  it("shows one Claude to two at a time, and to both again when the controller was killed", async () => {
    const both = [open(), open()] as const;
    for (const { shows } of both) await shows("\u276f");
    both[0].pty.write("quays");
    for (const { shows } of both) await shows("quays");
    await berth.crash();
    for (const { ended } of both) await ended;
    await berth.start();
    await eventually(async () => (await user.ssh("web", ["true"])).code === 0, { timeoutMs: 60_000 });
    const again = [open(), open()] as const;
    for (const { shows } of again) await shows("quays");
    again[1].pty.write("piers");
    for (const { shows } of again) await shows("piers");
    const { items } = await berth.client.call(listTerminals, { params: { id: "web" } });
    expect(items.filter(({ kind }) => kind === "claude")).toHaveLength(1);
    for (const { pty, ended } of again) {
      pty.kill();
      await ended;
    }
  });

  it("wants a terminal", async () => {
    const { code, stderr } = await user.ssh("web+claude", ["true"]);
    expect({ code, stderr }).toMatchObject({ code: 255, stderr: expect.stringContaining("ssh -t") });
  });
});
