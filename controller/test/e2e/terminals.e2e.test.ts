import {
  createTerminal,
  deleteTerminal,
  getTerminal,
  listTerminals,
  type Sandbox,
  type Terminal,
  terminalInput,
  terminalScreen,
} from "@berth/protocol";
import { eventually } from "@berth/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";
import { recorded, recorder, ViewerSet } from "./sandbox-programs.ts";

describe("a terminal by REST", () => {
  let berth: Berth;
  let sandbox: Sandbox;
  const viewers = new ViewerSet();

  beforeAll(async () => {
    berth = await startBerth();
    sandbox = await berth.readySandbox({ env: { OWN_SETTING: "set by its owner" } });
  });
  afterEach(() => viewers.closeAll());
  afterAll(() => berth.dispose());

  const exec = (argv: string[], more: { cwd?: string; cols?: number; rows?: number } = {}): Promise<Terminal> =>
    berth.openTerminal(sandbox.id, { kind: "exec", argv, ...more });
  const seen = (id: string) => berth.client.call(getTerminal, { params: { id } });
  const screen = (id: string) => berth.client.call(terminalScreen, { params: { id } });
  const type = (id: string, body: { text: string; submit?: boolean }, idempotencyKey?: string) =>
    berth.client.call(terminalInput, { params: { id }, body }, idempotencyKey ? { idempotencyKey } : {});
  const ended = (id: string) =>
    eventually(
      async () => {
        const terminal = await seen(id);
        return terminal.state === "exited" ? terminal : undefined;
      },
      { what: `the end of ${id}` },
    );
  const shows = (id: string, wanted: string | RegExp) =>
    eventually(async () => {
      const shown = await screen(id);
      const found = typeof wanted === "string" ? shown.text.includes(wanted) : wanted.test(shown.text);
      if (!found) throw new Error(shown.text);
      return shown;
    });

  it("has the size that was asked for, and the one by default", async () => {
    const sized = await exec(["stty", "size"], { cols: 133, rows: 17 });
    expect(sized).toMatchObject({ kind: "exec", cols: 133, rows: 17, sandboxId: sandbox.id, epoch: 1 });
    expect(await shows(sized.id, "17 133")).toMatchObject({ cols: 133, rows: 17 });
    await shows((await exec(["stty", "size"])).id, "32 120");
  });

  it("runs in the workspace, in a folder of it, or where an absolute path says", async () => {
    const workspace = berth.pathInside(sandbox, "workspace");
    // Wide enough that no path is wrapped.
    const run = async (argv: string[], cwd?: string) =>
      shows((await exec(argv, { cols: 500, ...(cwd === undefined ? {} : { cwd }) })).id, "in /");
    expect((await run(["sh", "-c", "mkdir -p deep; echo in $PWD"])).text).toBe(`in ${workspace}`);
    expect((await run(["sh", "-c", "echo in $PWD"], "deep")).text).toBe(`in ${workspace}/deep`);
    expect((await run(["sh", "-c", "echo in $PWD"], "/workspace/deep")).text).toBe(`in ${workspace}/deep`);
  });

  it("gets its arguments as they are, and its owner's environment", async () => {
    const odd = ["a b", "$HOME", "'\"", "*", "", "é漢🙂", "-n"];
    const script = "console.log(JSON.stringify(process.argv.slice(1)))";
    await shows((await exec(["node", "-e", script, "--", ...odd], { cols: 200 })).id, JSON.stringify(odd));
    await shows((await exec(["sh", "-c", "echo $OWN_SETTING, $TERM"])).id, "set by its owner, xterm-256color");
  });

  it.each([
    [["true"], { code: 0, signal: null }],
    [["sh", "-c", "exit 42"], { code: 42, signal: null }],
    [["sh", "-c", "kill -TERM $$"], { code: null, signal: "SIGTERM" }],
    [["sh", "-c", "kill -SEGV $$"], { code: null, signal: "SIGSEGV" }],
  ])("tells how %j ended", async (argv, exit) => {
    const { id } = await exec(argv);
    expect((await ended(id)).exit).toEqual(exit);
  });

  it("ends alone, however fast it ends and however many do", async () => {
    const lasting = await exec(["cat"]);
    const brief = await Promise.all(Array.from({ length: 20 }, (_, code) => exec(["sh", "-c", `exit ${code}`])));
    const exits = await Promise.all(brief.map(async ({ id }) => (await ended(id)).exit?.code));
    expect(exits).toEqual(Array.from({ length: 20 }, (_, code) => code));
    expect(await seen(lasting.id)).toMatchObject({ state: "running", epoch: 1 });
    for (const { id } of [lasting, ...brief]) await berth.client.call(deleteTerminal, { params: { id } });
  });

  it("reads as exited, with a reason, when its program or folder is not there", async () => {
    const missing = await ended((await exec(["no-such-program"])).id);
    expect(missing.exit?.code).toBeGreaterThan(0);
    const nowhere = await ended((await exec(["true"], { cwd: "no/such/folder" })).id);
    expect(nowhere.exit?.code).toBeGreaterThan(0);
    const texts = await Promise.all(
      [missing, nowhere].map(async (terminal) => `${terminal.title} ${(await screen(terminal.id)).text}`),
    );
    for (const text of texts) expect(text).toMatch(/no such file|not found|chdir|exec/i);
  });

  it("is typed into by scripts, line by line and as a paste, and Enter is one of its own", async () => {
    const { id } = await exec(recorder("scripted"));
    await shows(id, "recording");
    await type(id, { text: "one" });
    await type(id, { text: " two", submit: true });
    await type(id, { text: "a\nb", submit: true });
    await eventually(async () => (await recorded(berth, sandbox, "scripted")).length >= 12);
    expect(await recorded(berth, sandbox, "scripted")).toBe("one two\ra\rb\r");
  });

  it("is typed into once by a call that is repeated with the same key", async () => {
    const { id } = await exec(recorder("keyed"));
    await shows(id, "recording");
    const once = { text: "once", submit: true };
    for (let turn = 0; turn < 3; turn += 1) await type(id, once, "type-once");
    await Promise.all(Array.from({ length: 5 }, () => type(id, { text: "together" }, "type-together")));
    await expect(type(id, { text: "other" }, "type-once")).rejects.toMatchObject({ code: "idempotency_key_reused" });
    await type(id, { text: "." });
    await eventually(async () => (await recorded(berth, sandbox, "keyed")).endsWith("."));
    expect(await recorded(berth, sandbox, "keyed")).toBe("once\rtogether.");
  });

  it("is opened once by a call that is repeated with the same key", async () => {
    const body = { kind: "exec" as const, argv: ["sh", "-c", "echo x >> opened; exec cat"] };
    const open = () =>
      berth.client.call(createTerminal, { params: { id: sandbox.id }, body }, { idempotencyKey: "open" });
    const opened = await Promise.all([open(), open(), open()]);
    expect(new Set(opened.map(({ id }) => id)).size).toBe(1);
    await eventually(async () => (await recorded(berth, sandbox, "opened")) === "x\n");
    const { items } = await berth.client.call(listTerminals, { params: { id: sandbox.id }, query: { limit: 100 } });
    expect(items.filter(({ argv }) => argv?.[2] === body.argv[2])).toHaveLength(1);
  });

  it("shows its screen, cursor and title as text", async () => {
    const script =
      "printf '\\033]0;a title é\\007\\033[2J\\033[3;5Hhere\\033[31m red\\033[0m 漢\\033[10;1H> '; exec cat";
    const { id } = await exec(["bash", "-c", script], { cols: 40, rows: 12 });
    const shown = await shows(id, "> ".trim());
    expect(shown).toMatchObject({ cols: 40, rows: 12, title: "a title é", cursor: { x: 2, y: 9 } });
    expect(shown.text.split("\n")[2]).toBe("    here red 漢");
    await eventually(async () => (await seen(id)).title === "a title é");
    expect((await seen(id)).offset).toBe(shown.offset);
  });

  it("runs a login shell that has the workspace before it", async () => {
    const { id } = await berth.openTerminal(sandbox.id, { kind: "shell", cols: 200 });
    await eventually(async () => (await screen(id)).text.length > 0);
    await type(id, { text: "echo $((6 * 7)) in $PWD of $BERTH_SANDBOX", submit: true });
    await shows(id, `42 in ${berth.pathInside(sandbox, "workspace")} of ${sandbox.name}`);
    await type(id, { text: "exit 3", submit: true });
    expect((await ended(id)).exit).toEqual({ code: 3, signal: null });
    // Its last screen stays.
    expect((await screen(id)).text).toContain("exit 3");
    await expect(type(id, { text: "x" })).rejects.toMatchObject({ code: "conflict" });
  });

  it("ends with all of its processes when it is deleted, and is gone", async () => {
    const { id } = await exec(["bash", "-c", "trap '' HUP; sleep 1000.125 & sleep 1000.125 & echo up; wait"]);
    await shows(id, "up");
    const sleeping = async () =>
      (await berth.processesOf(sandbox)).filter(({ command }) => command === "sleep 1000.125").length;
    const viewer = await viewers.attach(berth, id);
    await berth.client.call(deleteTerminal, { params: { id } });
    await eventually(() => viewer.closes.length === 1, { what: "the viewer's close" });
    const calls = [() => seen(id), () => screen(id), () => type(id, { text: "x" })];
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: "not_found" });
    await eventually(async () => (await sleeping()) === 0, { timeoutMs: 10_000, what: "the end of its processes" });
    const { items } = await berth.client.call(listTerminals, { params: { id: sandbox.id }, query: { limit: 100 } });
    expect(items.map((terminal) => terminal.id)).not.toContain(id);
  });

  it("is refused when what is asked for makes no sense", async () => {
    const open = (body: Parameters<Berth["openTerminal"]>[1]) => berth.openTerminal(sandbox.id, body);
    await expect(open({ kind: "exec" })).rejects.toMatchObject({ code: "invalid_request" });
    await expect(open({ kind: "shell", argv: ["x"] })).rejects.toMatchObject({ code: "invalid_request" });
    await expect(open({ kind: "shell", cols: 5000 })).rejects.toMatchObject({ code: "invalid_request" });
    const resume = "00000000-0000-4000-8000-000000000000";
    await expect(open({ kind: "claude", resume })).rejects.toMatchObject({ code: "not_found" });
    await expect(open({ kind: "shell", resume })).rejects.toMatchObject({ code: "invalid_request" });
  });
});
