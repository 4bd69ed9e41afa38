import { randomBytes, randomUUID } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Scope } from "@berth/base";
import { sshKeyPair } from "@berth/base/node";
import {
  gitDiff,
  guestPaths,
  listKeys,
  listSshSessions,
  parseJson,
  syncChangeSchema,
  syncResultSchema,
} from "@berth/protocol";
import { type Berth, eventually, freePorts, spawnProcess, startBerth, temporaryDirectory } from "@berth/testkit";
import Type from "typebox";
import { Value } from "typebox/value";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sshFiles } from "../src/ssh/files.ts";
import { CommandInPty, environmentOf, program, runCommand } from "./command.ts";

const controller = fileURLToPath(new URL("../../../controller/dist/main.mjs", import.meta.url));
const sandbox = "web";

describe("the command line over the real OpenSSH and the gateway", () => {
  const scope = new Scope();
  let berth: Berth;
  let env: Record<string, string>;
  let home: string;
  /** The workspace, as this machine and the sandbox see it. */
  let workspace: string;
  let there: string;

  beforeAll(async () => {
    const folder = await temporaryDirectory("berth-cli-ssh-");
    scope.add(() => folder.dispose());
    home = folder.path;
    berth = await startBerth({ command: [process.execPath, controller] });
    scope.add(() => berth.dispose());
    env = environmentOf(home);
    expect((await runCommand(["login", berth.url], env, "correct horse battery staple\n")).code).toBe(0);
    const made = await berth.readySandbox({ name: sandbox });
    workspace = join(await berth.rootOf(made), guestPaths.workspace);
    there = berth.pathInside(made, guestPaths.workspace);
  });
  afterAll(() => scope.dispose());

  const run = (args: string[], stdin = "") => runCommand(args, env, stdin);

  it("runs a command there with its input, its output and its exit code, and registers the key once", async () => {
    expect(await run(["ssh", sandbox, "--", "cat; echo done; exit 9"], "in\n")).toMatchObject({
      code: 9,
      stdout: "in\ndone\n",
    });
    // An option of ssh's own would be answered here, with its version.
    const option = await run(["ssh", sandbox, "--", "-V"]);
    expect(option.code).not.toBe(0);
    expect(option.stderr).not.toContain("OpenSSH");
    const json = await run(["ssh", sandbox, "--json", "--", "echo out; echo err >&2; exit 3"]);
    const lines = json.stdout.trimEnd().split("\n").map(parseJson);
    expect(lines.at(-1)).toEqual({ exit: { code: 3 } });
    expect(lines.slice(0, -1)).toEqual(expect.arrayContaining([{ stdout: "out\n" }, { stderr: "err\n" }]));
    expect(json).toMatchObject({ code: 3, stderr: "" });
    expect(await run(["ssh", sandbox, "--json"])).toMatchObject({ code: 2 });
    const { items } = await berth.client.call(listKeys, { query: {} });
    expect(items).toHaveLength(1);
    const sessions = Value.Parse(
      listSshSessions.result,
      parseJson((await run(["sessions", sandbox, "--json"])).stdout),
    );
    expect(sessions.items.every(({ sandboxName }) => sandboxName === sandbox)).toBe(true);
    expect(sessions.items.length).toBeGreaterThan(1);
  });

  it("copies files whatever they are called", async () => {
    for (const name of ["-rf", "with space", "a:b"]) {
      await writeFile(join(home, name), name);
      const path = name === "a:b" ? `./${name}` : name;
      const copied = await runIn(home, ["cp", "--", path, `${sandbox}:${there}/`]);
      expect(copied, copied.stderr).toMatchObject({ code: 0 });
      expect(await readFile(join(workspace, name), "utf8")).toBe(name);
    }
    expect(await runIn(home, ["cp", `${sandbox}:${there}/a:b`, "./back"])).toMatchObject({ code: 0 });
    expect(await readFile(join(home, "back"), "utf8")).toBe("a:b");
    expect(await run(["cp", "wbe:/x", "."])).toMatchObject({ code: 3 });
    expect(await run(["cp", "not-there", `${sandbox}:/tmp/`])).toMatchObject({ code: 3 });
    const missing = await run(["cp", `${sandbox}:${there}/not-there`, home, "--json"]);
    expect(missing.code).toBe(1);
    expect(parseJson(missing.stderr)).toMatchObject({
      code: "copy_failed",
      message: expect.stringContaining("No such file"),
    });
    const json = await run(["cp", `${sandbox}:${there}/a:b`, home, "--json"]);
    expect(parseJson(json.stdout)).toEqual({ from: [`${sandbox}:${there}/a:b`], to: home });
  });

  it("forwards ports both ways, makes a cut connection again, and ends when it is told to", async () => {
    const target = createServer((_, response) => response.end("through"));
    await listen(target);
    scope.add(() => new Promise((resolve) => target.close(() => resolve())));
    const [here = 0, away = 0] = await freePorts(2);
    const { port } = target.address() as AddressInfo;
    const args = [program, "forward", sandbox, `${here}:${port}`, "-R", `${away}:${port}`];
    const begunAt = performance.now();
    const forwarding = spawnProcess({ command: process.execPath, args, env });
    const body = (at: number) =>
      fetch(`http://127.0.0.1:${at}`, { headers: { connection: "close" } })
        .then((answer) => answer.text())
        .catch(() => undefined);
    const through = (at: number) => eventually(() => body(at), { what: `port ${at}`, timeoutMs: 40_000 });
    // With processes the sandbox's ports are this machine's, too.
    expect([await through(here), await through(away)]).toEqual(["through", "through"]);
    // What ends sooner counts as one that cannot be had.
    await eventually(() => (performance.now() - begunAt > 6_000 ? true : undefined));
    await berth.crash();
    await berth.start();
    expect([await through(here), await through(away)]).toEqual(["through", "through"]);
    expect(forwarding.stderr).toContain("making it again");
    forwarding.kill("SIGINT");
    expect(await forwarding.exited).toMatchObject({ code: 130 });
    expect((await run(["forward", sandbox, "-R", "nonsense"])).code).toBe(2);
    // Each side's port is taken: this machine's by the server itself, and with processes the sandbox's, too.
    const taken = await run(["forward", sandbox, `${port}`]);
    expect(taken).toMatchObject({ code: 5, stderr: expect.stringContaining("is in use on this machine") });
    const takenThere = await run(["forward", sandbox, "-R", `${port}`, "--json"]);
    expect(parseJson(takenThere.stdout)).toMatchObject({ sandbox, opened: "there", listen: `127.0.0.1:${port}` });
    expect(takenThere.code).toBe(5);
    expect(parseJson(takenThere.stderr)).toMatchObject({ code: "port_taken" });
  });

  it("syncs a folder both ways, keeps conflicts until they are decided, and answers in the API's shapes", async () => {
    const shape = Type.Object({ result: syncResultSchema, changes: Type.Array(syncChangeSchema) });
    const folder = join(home, "project");
    const remote = workspace;
    await mkdir(folder);
    await writeFile(join(folder, "a.txt"), "one");
    const sync = async (...more: string[]) => {
      const ran = await run(["sync", sandbox, folder, "--json", "--quiet", ...more]);
      return { ...ran, report: ran.stdout === "" ? undefined : Value.Parse(shape, parseJson(ran.stdout)) };
    };
    const dry = await sync("--dry-run");
    expect(dry.report?.result, dry.stderr).toMatchObject({ created: 1 });
    expect((await sync()).code).toBe(0);
    expect(await readFile(join(remote, "a.txt"), "utf8")).toBe("one");
    await writeFile(join(folder, "a.txt"), "mine, longer");
    await writeFile(join(remote, "a.txt"), "theirs");
    const both = await sync();
    expect(both).toMatchObject({ code: 5, report: { result: { conflicts: 1 } } });
    expect(await readFile(join(remote, "a.txt"), "utf8")).toBe("theirs");
    expect(await sync("--take", "sandbox", "--file", "a.txt")).toMatchObject({ code: 0 });
    expect(await readFile(join(folder, "a.txt"), "utf8")).toBe("theirs");
    expect((await sync("--take", "here")).code).toBe(2);
  });

  it.each(["push", "pull"] as const)("goes on with each change until Ctrl-C, through a cut (%s)", async (direction) => {
    const folder = join(home, `watched-${direction}`);
    await mkdir(folder);
    const [from, to] = direction === "push" ? [folder, workspace] : [workspace, folder];
    const args = ["sync", sandbox, folder, "--watch", ...(direction === "pull" ? ["--pull"] : [])];
    const command = new CommandInPty(args, env);
    try {
      const seen = (text: string) =>
        eventually(() => command.screen.text().includes(text), { timeoutMs: 40_000, what: `"${text}" on the screen` });
      /** A change follows within two seconds; other work is on the machine, and slows some. */
      const followsInTime = async () => {
        const tookMs: number[] = [];
        while (!tookMs.some((ms) => ms < 2_000)) {
          if (tookMs.length === 4) throw new Error(`changes followed after ${tookMs.join(", ")} ms`);
          const now = randomUUID();
          const begun = performance.now();
          await writeFile(join(from, `watched ${direction}`), now);
          const arrived = () => readFile(join(to, `watched ${direction}`), "utf8").catch(() => "");
          await eventually(async () => (await arrived()) === now, { intervalMs: 20, timeoutMs: 40_000 });
          tookMs.push(performance.now() - begun);
        }
      };
      await seen("in accord at");
      await followsInTime();
      await berth.crash();
      await writeFile(join(from, `meanwhile ${direction}`), "x");
      await seen("paused: ");
      await berth.start();
      await eventually(() => readFile(join(to, `meanwhile ${direction}`)).catch(() => undefined), {
        timeoutMs: 40_000,
      });
      await seen("in accord at");
      await followsInTime();
      command.type("\x03");
      expect(await command.exited).toMatchObject({ exitCode: 130 });
      expect(command.screen.text()).not.toContain("in accord at");
    } finally {
      await command.close();
    }
  });

  it("tells of continuous syncing in lines of JSON", async () => {
    const folder = join(home, "watched-json");
    await mkdir(folder);
    const args = [program, "sync", sandbox, folder, "--watch", "--json"];
    const watching = spawnProcess({ command: process.execPath, args, env });
    await watching.waitForLine('"watching"', 40_000);
    await writeFile(join(folder, "in JSON"), "x");
    await watching.waitForLine('"path":"in JSON","action":"create"', 40_000);
    watching.kill("SIGINT");
    expect(await watching.exited).toMatchObject({ code: 130 });
    const line = Type.Object({ state: Type.Enum(["syncing", "watching", "paused"]) });
    for (const text of watching.stdout.trimEnd().split("\n")) Value.Parse(line, parseJson(text));
    expect((await run(["sync", sandbox, folder, "--watch", "--dry-run"])).code).toBe(2);
  });

  it("shows what has changed in a repository of the workspace", async () => {
    const git = "git init -q repo && cd repo && git config user.email a@b && git config user.name n";
    const script = `cd ${there} && ${git} && printf 'one\\n' > f && git add f && git commit -qm first && printf 'two\\n' > f`;
    expect(await run(["ssh", sandbox, "--", script])).toMatchObject({ code: 0 });
    const patch = await run(["diff", sandbox, "repo"]);
    expect(patch).toMatchObject({ code: 0, stderr: "" });
    expect(patch.stdout).toContain("\n-one\n+two\n");
    const diff = Value.Parse(gitDiff.result, parseJson((await run(["diff", sandbox, "repo", "--json"])).stdout));
    expect(diff.files).toMatchObject([{ path: "repo/f", additions: 1, deletions: 1 }]);
    expect((await run(["diff", sandbox, "repo", "--staged"])).stdout).toBe("");
  });

  it("tells at once of a sandbox that is off, and what to do", async () => {
    const ended = async (verb: string) => expect((await run([verb, sandbox, "--quiet"])).code).toBe(0);
    await ended("stop");
    const off = { code: 5, stderr: `berth: ${sandbox} is stopped.\nStart it with berth start ${sandbox}.\n` };
    const calls = { ssh: "true", exec: "true", forward: "80", sync: home };
    for (const [verb, more] of Object.entries(calls)) {
      expect(await run([verb, sandbox, more]), verb).toMatchObject(off);
    }
    expect(await run(["cp", `${sandbox}:/x`, home])).toMatchObject(off);
    await ended("start");
  });

  it("refuses a gateway whose key has changed, and says so", async () => {
    const { config, knownHosts } = sshFiles(join(home, ".config/berth"), "default");
    const impostor = sshKeyPair(randomBytes(32), "impostor").publicKey.split(" ").slice(0, 2).join(" ");
    const text = await readFile(knownHosts, "utf8");
    // The controller says it anew at each run, so what OpenSSH itself makes of another key is asked for here.
    await writeFile(knownHosts, text.replace(/ssh-ed25519 \S+/, impostor));
    const ssh = spawnProcess({ command: "ssh", args: ["-F", config, `${sandbox}.berth`, "true"], env });
    expect(await ssh.exited).toMatchObject({ code: 255 });
    expect(ssh.stderr).toContain("REMOTE HOST IDENTIFICATION HAS CHANGED");
  });

  const runIn = async (cwd: string, args: string[]) => {
    const ran = spawnProcess({ command: process.execPath, args: [program, ...args], env, cwd });
    const { code } = await ran.exited;
    return { code, stderr: ran.stderr };
  };
});

const listen = (server: Server) => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
