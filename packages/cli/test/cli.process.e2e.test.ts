import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  doctorReportSchema,
  getSandbox,
  listKeys,
  listOrphans,
  listSandboxes,
  listTerminals,
  operationSchema,
  parseJson,
  poolSchema,
  sandboxSchema,
  sshGateway,
  templateSchema,
  userSchema,
} from "@berth/protocol";
import {
  type Berth,
  eventually,
  type MessagesStub,
  startBerth,
  startMessagesStub,
  type TemporaryDirectory,
  temporaryDirectory,
} from "@berth/testkit";
import Type, { type TSchema } from "typebox";
import { Value } from "typebox/value";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { CommandInPty, environmentOf, installBerth, runCommand, terminalModes, textOf } from "./command.ts";

const controller = fileURLToPath(new URL("../../../controller/dist/main.mjs", import.meta.url));
const password = "correct horse battery staple";
const size = { cols: 90, rows: 20 };

/** The value of a line of JSON that fits a schema. */
function parsed<S extends TSchema>(schema: S, text: string) {
  return Value.Parse(schema, parseJson(text));
}
const resultOf = <S extends TSchema>({ result }: { result: S }) => result;

describe("the command line", () => {
  let berth: Berth;
  let stub: MessagesStub;
  let home: TemporaryDirectory;
  let env: Record<string, string>;
  const open: CommandInPty[] = [];

  beforeAll(async () => {
    home = await temporaryDirectory("berth-cli-");
    env = environmentOf(home.path);
    stub = await startMessagesStub();
    const { ANTHROPIC_BASE_URL = "", ANTHROPIC_AUTH_TOKEN = "" } = stub.environment;
    const claude = { ANTHROPIC_BASE_URL, ANTHROPIC_AUTH_TOKEN };
    berth = await startBerth({ command: [process.execPath, controller], env: claude });
    const signedIn = await runCommand(["login", berth.url, "--json"], env, `${password}\n`);
    expect(signedIn).toMatchObject({ code: 0, stderr: "" });
    parsed(userSchema, signedIn.stdout);
    expect(await runCommand(["new", "web", "--quiet"], env)).toEqual({ code: 0, stdout: "web\n", stderr: "" });
  });
  afterEach(async () => {
    for (const command of open.splice(0)) await command.close();
  });
  afterAll(async () => {
    await berth?.dispose();
    await stub?.dispose();
    await home.dispose();
  });

  const berthCommand = (...args: string[]) => runCommand(args, env);
  const inPty = (...args: string[]) => {
    const command = new CommandInPty(args, env, size);
    open.push(command);
    return command;
  };

  it("keeps an API token of its own in a file for its user alone, and no password", async () => {
    const path = join(home.path, ".config/berth/credentials.json");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await textOf(path)).not.toContain(password);
    const who = await berthCommand("whoami");
    expect(who.stdout).toBe(`admin at ${berth.url}\n`);
    const tokens = await berthCommand("tokens");
    expect(tokens.stdout.match(/berth on /g)).toHaveLength(1);
  });

  it("answers in the API's own shapes", async () => {
    const list = parsed(resultOf(listSandboxes), (await berthCommand("ls", "--json")).stdout);
    expect(list.items.map(({ name }) => name)).toEqual(["web"]);
    parsed(resultOf(listTerminals), (await berthCommand("ls", "web", "--json")).stdout);
    parsed(templateSchema, (await berthCommand("template", "--json")).stdout);
    const pool = parsed(poolSchema, (await berthCommand("pool", "--size", "0", "--json")).stdout);
    expect(pool).toEqual({ size: 0, ready: 0, filling: 0, failed: null });
    expect((await berthCommand("pool")).stdout).toBe("0 of 0 ready\n");
    expect(list.items[0]?.state).toBe("ready");
    const doctor = parsed(doctorReportSchema, (await berthCommand("doctor", "--json")).stdout);
    expect(doctor.checks.filter(({ state }) => state === "failed")).toEqual([]);
    expect(doctor.checks.length).toBeGreaterThan(20);
    expect(parsed(resultOf(listOrphans), (await berthCommand("adopt", "--json")).stdout)).toEqual({ items: [] });
    expect(await berthCommand("adopt", "151")).toMatchObject({ code: 3 });
    expect(await berthCommand("adopt", "web")).toMatchObject({ code: 2 });
    expect(await berthCommand("adopt", "--all")).toMatchObject({ code: 0, stdout: "" });
    const events = (await berthCommand("logs", "web", "--json")).stdout.trimEnd().split("\n");
    const event = Type.Object({ id: Type.String(), event: Type.String(), data: Type.Unknown() });
    const seen = events.map((line) => parsed(event, line));
    expect(
      seen.filter(({ event: name, data }) => name === "operation" && Value.Check(operationSchema, data)),
    ).not.toEqual([]);
  });

  it("says what failed and what to do, by an exit code and as JSON", async () => {
    expect(await berthCommand("start", "nothere")).toMatchObject({ code: 3, stdout: "" });
    expect(await berthCommand("new", "web", "--quiet")).toMatchObject({
      code: 5,
      stderr: expect.stringContaining("berth:"),
    });
    expect(await berthCommand("new", "web2", "--cores", "lots")).toMatchObject({ code: 2 });
    expect(await berthCommand("frobnicate")).toMatchObject({ code: 2 });
    expect(await berthCommand("rm", "web")).toMatchObject({ code: 2, stderr: expect.stringContaining("--yes") });
    const json = await berthCommand("start", "nothere", "--json");
    expect(parsed(Type.Object({ code: Type.String(), message: Type.String() }), json.stderr).code).toBe("not_found");
    for (const { code, stderr } of [json, await berthCommand("start", "nothere")]) {
      expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining("berth ls lists sandboxes.") });
    }
    const misspelt = await berthCommand("keys", "rm", "--frob", "--json");
    expect(misspelt).toMatchObject({ code: 2, stdout: "" });
    expect(parseJson(misspelt.stderr)).toEqual({
      ...{ code: "usage", message: "Unknown option '--frob'.", hint: "See berth keys rm --help." },
    });
    expect((await berthCommand("strat")).stderr).toBe("berth: Unknown command 'strat'.\nDid you mean start?\n");
    expect((await berthCommand("new", "Web_")).stderr.match(/lower-case letters/g)).toHaveLength(1);
    const away = { ...env, BERTH_URL: "http://127.0.0.1:1", BERTH_TOKEN: "x" };
    expect(await runCommand(["ls"], away)).toMatchObject({ code: 6, stderr: expect.stringContaining("127.0.0.1:1") });
    const stranger = { ...env, BERTH_URL: berth.url, BERTH_TOKEN: "wrong" };
    expect(await runCommand(["ls"], stranger)).toMatchObject({ code: 4 });
    const wrong = await runCommand(["login", berth.url, "--profile", "other"], env, "not the password\n");
    expect(wrong.code).toBe(4);
  });

  it("shows steps as lines where nobody looks, and as a list in a terminal", async () => {
    const plain = await berthCommand("restart", "web");
    expect(plain).toMatchObject({ code: 0, stdout: "web: restart succeeded\n" });
    expect(plain.stderr).toMatch(/^stop: succeeded/m);
    expect(plain.stderr).toMatch(/^ready: succeeded/m);
    const live = inPty("restart", "web");
    expect(await live.exited).toMatchObject({ exitCode: 0 });
    await live.screen.drained();
    expect(live.screen.text()).toMatch(/✓ stop +[\d.]+ s/);
    expect(live.screen.text().match(/ready/g)).toHaveLength(1);
  });

  it("changes a sandbox, takes a snapshot of it, goes back to that, and makes a copy", async () => {
    expect(await berthCommand("set", "web", "--cores", "3", "--quiet")).toMatchObject({ code: 0 });
    expect(parsed(sandboxSchema, (await berthCommand("set", "web", "--on-boot", "on", "--json")).stdout)).toMatchObject(
      {
        ...{ cores: 3, onBoot: true },
      },
    );
    expect(await berthCommand("set", "web", "--disk", "1")).toMatchObject({ code: 2 });
    const sleepy = await berthCommand("set", "web", "--sleep-after", "2h");
    expect(sleepy.stdout).toMatch(/^web: 3 cores, .*sleeps after 2 h/);
    expect(await berthCommand("set", "web", "--sleep-after", "default", "--quiet")).toMatchObject({ code: 0 });
    expect(await berthCommand("snapshot", "create", "web", "early", "--quiet")).toMatchObject({ code: 0 });
    expect(await berthCommand("snapshot", "web", "create", "early")).toMatchObject({ code: 5 });
    expect((await berthCommand("snapshot", "web")).stdout).toMatch(/^early \* .*running/m);
    expect(await berthCommand("rollback", "web", "early")).toMatchObject({ code: 2 });
    expect(await berthCommand("rollback", "web", "early", "--yes")).toMatchObject({
      ...{ code: 0, stdout: "web: rollback succeeded\n" },
    });
    const copied = await berthCommand("fork", "web", "web-2", "--snapshot", "early", "--no-start", "--json");
    const { sandbox } = parsed(Type.Object({ sandbox: sandboxSchema }), copied.stdout);
    expect(sandbox).toMatchObject({ name: "web-2", state: "stopped", cores: 3 });
    expect(await berthCommand("snapshot", "web", "rm", "early", "--quiet")).toMatchObject({ code: 0 });
    expect(await berthCommand("rm", "web-2", "--yes", "--quiet")).toMatchObject({ code: 0 });
  });

  it("completes names that only the controller knows", async () => {
    expect((await berthCommand("__complete", "--", "stop", "w")).stdout).toBe("web\tready\n");
    expect((await berthCommand("__complete", "--", "wh")).stdout).toMatch(/^whoami\t/);
  });

  it.each<[shell: string, command: [string, ...string[]], before: string]>([
    ["bash", ["bash", "--norc", "-i"], "true"],
    ["zsh", ["zsh", "-f", "-i"], "autoload -Uz compinit; compinit -D"],
    ["fish", ["fish", "--no-config", "-i"], "set -g fish_autosuggestion_enabled 0"],
  ])(
    "completes in %s what is typed there, also with names that only the controller knows",
    async (shell, command, before) => {
      const bin = join(home.path, "bin");
      await installBerth(bin);
      const script = join(home.path, `completion.${shell}`);
      await writeFile(script, (await berthCommand("completion", shell)).stdout);
      const typed = new CommandInPty([], { ...env, PATH: `${bin}:${env.PATH}` }, { ...size, command });
      open.push(typed);
      typed.type(`${before}; source ${script}; printf 'can %s\\n' complete\r`);
      await typed.screen.waitForText(/^can complete$/m, 20_000);
      typed.type("berth exe\t");
      await typed.screen.waitForText(/berth exec/, 20_000);
      typed.type("w\t");
      await typed.screen.waitForText(/berth exec web/, 20_000);
      // What is typed while `berth exec` runs would be the program's.
      typed.type(" -- printf 'ran %s\\n' it; printf 'back %s\\n' again\r");
      await typed.screen.waitForText(/^ran it$/m, 30_000);
      await typed.screen.waitForText(/^back again$/m, 30_000);
      typed.type("exit\r");
      await typed.exited;
    },
  );

  it("goes on with the sandbox's Claude, and starts another one where that is wanted", async () => {
    const claudes = async () => {
      const { items } = await berth.client.call(listTerminals, { params: { id: "web" }, query: {} });
      return items.filter(({ kind }) => kind === "claude");
    };
    const first = inPty("claude", "web");
    await first.screen.waitForText("\u276f", 60_000);
    first.type("harbours and ships");
    await first.screen.waitForText("harbours and ships");
    first.type("\x1dd");
    expect(await first.exited).toMatchObject({ exitCode: 0 });
    // Of the only sandbox.
    const again = inPty("claude");
    await again.screen.waitForText("harbours and ships", 30_000);
    again.type("\x1dd");
    await again.exited;
    expect(await claudes()).toHaveLength(1);
    const other = inPty("claude", "web", "--new");
    await eventually(async () => (await claudes()).length === 2, { timeoutMs: 30_000 });
    await other.screen.waitForText("\u276f", 60_000);
    expect(other.screen.text()).not.toContain("harbours");
    other.type("\x1dd");
    await other.exited;
  });

  it("opens the console in the browser that is set, and says its address where there is none", async () => {
    const told = join(home.path, "opened");
    const browser = join(home.path, "browser");
    await writeFile(browser, `#!/bin/sh\nprintf '%s\\n' "$@" >'${told}.new' && mv '${told}.new' '${told}'\n`, {
      mode: 0o755,
    });
    const opened = await runCommand(["open", "web"], { ...env, BROWSER: browser });
    expect(opened).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(await eventually(() => textOf(told).catch(() => undefined))).toBe(`${berth.url}/sandboxes/web\n`);
    const { BROWSER: _, DISPLAY: __, WAYLAND_DISPLAY: ___, ...none } = env;
    expect(await runCommand(["open"], none)).toEqual({ code: 0, stdout: `${berth.url}/\n`, stderr: "" });
    expect(await runCommand(["open", "nothere"], none)).toMatchObject({ code: 3 });
  });

  it("runs a program and ends with its exit code and its very output", async () => {
    const ran = await berthCommand("exec", "web", "--", "bash", "-c", "stty raw; seq 5000; exit 7");
    expect(ran.code).toBe(7);
    expect(ran.stdout).toBe(Array.from({ length: 5000 }, (_, index) => `${index + 1}\n`).join(""));
    expect((await berthCommand("exec", "web", "--", "bash", "-c", "kill -TERM $$")).code).toBe(143);
    const json = await berthCommand("exec", "web", "--json", "--", "sh", "-c", "stty raw; printf there; exit 3");
    const lines = json.stdout.trimEnd().split("\n").map(parseJson);
    expect({ code: json.code, last: lines.at(-1) }).toMatchObject({
      code: 3,
      last: { exit: { code: 3, signal: null } },
    });
    const output = Value.Parse(Type.Array(Type.Object({ output: Type.String() })), lines.slice(0, -1));
    expect(output.map((line) => line.output).join("")).toBe("there");
    const { items } = await berth.client.call(listTerminals, { params: { id: "web" }, query: {} });
    expect(items.filter(({ kind }) => kind === "exec")).toEqual([]);
  });

  it("hands the terminal over and gives it back, with Ctrl-C for the program and a key to leave", async () => {
    const shell = inPty("shell", "web");
    await shell.screen.waitForText(/[$#]$/m, 15_000);
    expect(await terminalModes(shell.pid)).toMatch(/-icanon.*-echo /s);
    shell.type("sleep 100 || echo was-$?\r");
    await shell.screen.waitForText("sleep 100 || echo");
    shell.type("\x03");
    await shell.screen.waitForText(/\^C/);
    shell.type("stty size; printf '\\033[?2004h\\033[?1000h\\033[?25l'; echo modes-on\r");
    await shell.screen.waitForText("20 90");
    shell.resize(70, 15);
    await eventually(
      async () => {
        shell.type("stty size\r");
        return shell.screen.text().includes("15 70") ? true : undefined;
      },
      { what: "the new size", intervalMs: 200 },
    );
    shell.type("\x1dd");
    expect(await shell.exited).toMatchObject({ exitCode: 0 });
    const tail = shell.output.subarray(-600).toString("latin1");
    for (const mode of ["\x1b[?2004l", "\x1b[?1000l", "\x1b[?25h"]) expect(tail).toContain(mode);
    expect(tail).toContain("Detached.");
    const again = inPty("attach", "web");
    await again.screen.waitForText("modes-on");
    again.type("exit\r");
    expect(await again.exited).toMatchObject({ exitCode: 0 });
  });

  it("gives the terminal back when a signal ends it", async () => {
    const shell = inPty("shell", "web");
    await shell.screen.waitForText(/[$#]$/m, 15_000);
    process.kill(shell.pid, "SIGTERM");
    expect(await shell.exited).toMatchObject({ exitCode: 143 });
    expect(shell.output.subarray(-600).toString("latin1")).toContain("\x1b[?25h");
    const end = inPty("attach", "web");
    await end.screen.waitForText(/[$#]$/m, 15_000);
    end.type("exit\r");
    await end.exited;
  });

  it("goes on at the very byte when the controller was killed, and sends once what was typed meanwhile", async () => {
    const script = "stty raw -echo; i=0; while [ $i -lt 1500 ]; do i=$((i+1)); printf '%d ' $i; sleep 0.002; done; cat";
    const command = inPty("exec", "web", "--", "bash", "-c", script);
    await eventually(() => (command.output.includes(" 300 ") ? true : undefined), { timeoutMs: 20_000 });
    await berth.crash();
    command.type("typed while away;");
    await berth.start();
    await eventually(() => (command.output.includes("typed while away;") ? true : undefined), { timeoutMs: 60_000 });
    command.type("\x1dd");
    expect(await command.exited).toMatchObject({ exitCode: 0 });
    const expected = `${Array.from({ length: 1500 }, (_, index) => `${index + 1} `).join("")}typed while away;`;
    expect(command.output.toString("latin1").slice(0, expected.length)).toBe(expected);
    expect(command.output.toString("latin1").split("typed while away;")).toHaveLength(2);
  });

  it("shows a status line while the controller is away, and takes it back without a trace", async () => {
    const shell = inPty("shell", "web");
    await shell.screen.waitForText(/[$#]$/m, 15_000);
    shell.type(
      "PS1='> '; clear; for i in $(seq 19); do printf '\\033[4%dmrow %d\\033[m\\n' $((i % 8)) $i; done; printf 'last row'\r",
    );
    await shell.screen.waitForText(/last row/);
    const before = shell.screen.text();
    await berth.crash();
    await shell.screen.waitForText(/berth: .*trying again/, 15_000);
    await berth.start();
    await eventually(() => (shell.screen.text() === before ? true : undefined), {
      timeoutMs: 60_000,
      what: "the screen as it was",
    });
    shell.type("\x1dd");
    await shell.exited;
  });

  it("writes a configuration for OpenSSH, registers this machine's key once, and takes itself away again", async () => {
    const config = join(home.path, ".ssh", "config");
    const written = await berthCommand("ssh-config", "--write", "--json");
    expect(written.code).toBe(0);
    const { gateway } = parsed(Type.Object({ gateway: resultOf(sshGateway) }), written.stdout);
    const first = await textOf(config);
    expect(await berthCommand("ssh-config", "--write")).toMatchObject({ code: 0, stdout: "ssh web.berth\n" });
    expect(await textOf(config)).toBe(first);
    const keys = parsed(resultOf(listKeys), (await berthCommand("keys", "--json")).stdout);
    expect(keys.items).toHaveLength(1);
    const known = await textOf(join(home.path, ".config/berth/ssh/default/known_hosts"));
    expect(known).toBe(`${gateway.gatewayKnownHosts}\n@cert-authority web ${gateway.certAuthority}\n`);
    const removed = await berthCommand("ssh-config", "--remove", "--json");
    expect(parseJson(removed.stdout)).toMatchObject({ removed: true });
    expect(await textOf(config)).toBe("");
    const [key] = keys.items;
    expect(parseJson((await berthCommand("keys", "rm", key?.id ?? "", "--json")).stdout)).toEqual({ id: key?.id });
    expect(parseJson((await berthCommand("profile", "default", "--json")).stdout)).toMatchObject({ current: true });
    expect(parseJson((await berthCommand("completion", "fish", "--json")).stdout)).toMatchObject({ shell: "fish" });
  });

  it("destroys a sandbox that is confirmed, and signs out", async () => {
    const asked = inPty("rm", "web");
    await asked.screen.waitForText("[y/N]");
    asked.type("n\r");
    expect(await asked.exited).toMatchObject({ exitCode: 1 });
    const gone = await berthCommand("rm", "web", "--yes", "--json");
    const { operation } = parsed(Type.Object({ operation: operationSchema }), gone.stdout);
    expect(operation).toMatchObject({ kind: "destroy", state: "succeeded" });
    await expect(berth.client.call(getSandbox, { params: { id: "web" } })).rejects.toMatchObject({ code: "not_found" });
    const token = /"token": "([^"]+)"/.exec(await textOf(join(home.path, ".config/berth/credentials.json")))?.[1] ?? "";
    expect(parseJson((await berthCommand("logout", "--json")).stdout)).toEqual({ profile: "default", url: berth.url });
    expect(await berthCommand("ls")).toMatchObject({ code: 4 });
    expect((await runCommand(["ls"], { ...env, BERTH_URL: berth.url, BERTH_TOKEN: token })).code).toBe(4);
  });
});
