import { execFile } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Scope } from "@berth/base";
import {
  keptWorkSchema,
  operationSchema,
  pageOf,
  parseJson,
  pushResultSchema,
  sandboxProjectSchema,
  syncStatusSchema,
} from "@berth/protocol";
import { type Berth, startBerth, temporaryDirectory } from "@berth/testkit";
import Type from "typebox";
import { Value } from "typebox/value";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { environmentOf, runCommand } from "./command.ts";

const controller = fileURLToPath(new URL("../../../controller/dist/main.mjs", import.meta.url));
const author = { GIT_AUTHOR_NAME: "A", GIT_AUTHOR_EMAIL: "a@b", GIT_COMMITTER_NAME: "A", GIT_COMMITTER_EMAIL: "a@b" };

describe("git's work from the command line", () => {
  const scope = new Scope();
  let berth: Berth;
  let env: Record<string, string>;
  let home: string;
  let origin: string;

  const git = async (cwd: string, ...args: string[]) =>
    (
      await promisify(execFile)("git", ["-C", cwd, "-c", "init.defaultBranch=main", ...args], {
        env: { ...process.env, ...author },
      })
    ).stdout.trim();
  const run = (...args: string[]) => runCommand(args, env);
  const here = async (command: string) => {
    const ran = await run("exec", "web", "--", "sh", "-c", command);
    expect(ran, ran.stderr).toMatchObject({ code: 0 });
  };

  beforeAll(async () => {
    const folder = await temporaryDirectory("berth-cli-git-");
    scope.add(() => folder.dispose());
    home = folder.path;
    origin = join(home, "origin.git");
    const source = join(home, "source");
    await mkdir(source);
    await git(source, "init", "-q");
    await writeFile(join(source, "readme.md"), "hello\n");
    await git(source, "add", "-A");
    await git(source, "commit", "-qm", "first");
    await git(home, "clone", "-q", "--bare", source, origin);
    berth = await startBerth({ command: [process.execPath, controller], env: { BERTH_WORKSPACE_ROOTS: home } });
    scope.add(() => berth.dispose());
    env = environmentOf(home);
    expect((await runCommand(["login", berth.url], env, "correct horse battery staple\n")).code).toBe(0);
    await berth.readySandbox({ name: "web", workspace: { type: "git", url: origin } });
  });
  afterAll(() => scope.dispose());

  it("pushes a sandbox's branch, and says what the sandbox may push itself", async () => {
    await here("echo one > one && git add -A && git commit -qm one");
    const pushed = await run("git", "push", "web", "--json", "--quiet");
    expect(pushed, pushed.stderr).toMatchObject({ code: 0 });
    const { operation } = Value.Parse(Type.Object({ operation: operationSchema }), parseJson(pushed.stdout));
    const { commit } = Value.Parse(pushResultSchema, operation.result);
    expect(await git(origin, "rev-parse", "berth/web")).toBe(commit);
    expect((await run("git", "push", "web")).stdout).toMatch(/is at berth\/web\non the host: /);
    expect((await run("git", "fetch", "web")).stdout).toMatch(new RegExp(`the sandbox is at ${commit.slice(0, 12)}`));
    expect((await run("git", "worktree", "web", "--files")).code).toBe(0);
    const allowed = await run("git", "allow", "web", "any", "--json");
    expect(Value.Parse(sandboxProjectSchema, parseJson(allowed.stdout)).push).toBe("any");
    expect((await run("git", "allow", "web", "everything")).code).toBe(2);
    await here("git push -q origin HEAD:main");
    expect(await git(origin, "rev-parse", "main")).toBe(commit);
    await here(
      "echo two > two && git add -A && git commit -qm two && git push -q origin HEAD:main && git reset -q --hard HEAD~1",
    );
    await here("echo three > three && git add -A && git commit -qm three");
    const refused = await run("git", "push", "web", "--to", "main", "--quiet");
    expect(refused).toMatchObject({ code: 5, stderr: /has commits that the sandbox's has not/ });
    expect((await run("cancel", operation.id)).code).toBe(5);
  });

  it("brings a folder of the host and a workspace together, and leaves conflicts to be decided", async () => {
    const folder = join(home, "folder");
    await mkdir(folder);
    await writeFile(join(folder, "notes.txt"), "mine");
    const push = await run("folder", "push", "web", folder, "--quiet");
    expect(push, push.stderr).toMatchObject({ code: 0 });
    await here('test "$(cat notes.txt)" = mine && echo theirs, longer > notes.txt');
    await writeFile(join(folder, "notes.txt"), "mine, changed");
    await here("echo n > new.txt");
    const dry = await run("folder", "pull", "web", "--dry-run");
    expect(dry.code, dry.stderr).toBe(5);
    expect(dry.stdout).toMatch(/^! notes\.txt {2}\(changed on both sides\)$/m);
    expect(dry.stdout).toMatch(/^\+ new\.txt$/m);
    expect(dry.stderr).toMatch(/Would create \d+, update 0, delete 0\./);
    const pull = await run("folder", "pull", "web");
    expect(pull).toMatchObject({ code: 5, stdout: dry.stdout });
    expect(pull.stderr).toMatch(/Created \d+, updated 0, deleted 0\./);
    expect((await run("folder", "changes", "web", "--conflicts")).stdout).toMatch(
      /^conflict +notes\.txt {2}\(changed on both sides\)\n$/,
    );
    expect(await run("folder", "take", "web", "sandbox", "--file", "notes.txt")).toMatchObject({ code: 0 });
    expect(await readFile(join(folder, "notes.txt"), "utf8")).toBe("theirs, longer\n");
    const [backup = "", side] = (await run("folder", "backups", "web")).stdout.split("\n")[1]?.split(/ +/) ?? [];
    expect(side).toBe("host");
    expect((await run("folder", "backups", "web", backup)).stdout).toBe("notes.txt\n");
    expect((await run("folder", "backups", "web", "20260101T120000Z-000")).code).toBe(3);
    await rm(join(folder, "notes.txt"));
    expect(await run("folder", "restore", "web", backup, "notes.txt")).toMatchObject({ code: 0 });
    expect(await readFile(join(folder, "notes.txt"), "utf8")).toBe("mine, changed");
    expect(
      Value.Parse(syncStatusSchema, parseJson((await run("folder", "show", "web", "--json")).stdout)).conflicts,
    ).toBe(0);
    expect((await run("folder", "follow", "web", "pull")).stdout).toMatch(/following +pull/);
    expect((await run("folder", "unfollow", "web")).stdout).not.toMatch(/following/);
  });

  it("gets back what was kept of a sandbox that was destroyed", async () => {
    await here("echo more >> readme.md");
    const refused = await run("rm", "web", "--yes");
    expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining("with --discard; a copy is kept") });
    expect((await run("rm", "web", "--yes", "--discard", "--quiet")).code).toBe(0);
    const { items } = Value.Parse(pageOf(keptWorkSchema), parseJson((await run("kept", "--json")).stdout));
    const id = items[0]?.id ?? "";
    const to = join(home, "kept");
    await mkdir(to);
    expect((await run("kept", "download", id, "--to", to)).stdout).toContain("web-changes.patch");
    expect(await readFile(join(to, "web-changes.patch"), "utf8")).toContain("+more");
    const again = await run("kept", "download", id, "--to", to);
    expect(again).toMatchObject({ code: 5, stderr: expect.stringMatching(/is there already.*\n.*--to/) });
    expect(parseJson((await run("kept", "rm", id, "--json")).stdout)).toEqual({ id });
    expect((await run("kept", "--quiet")).stdout).toBe("");
  });
});
