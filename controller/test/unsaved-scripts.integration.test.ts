import { execFile, execFileSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { temporaryDirectory } from "@berth/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readUnsaved } from "../src/projects/unsaved.ts";
import {
  bundleScript,
  bundlesScript,
  patchScript,
  unsavedScript,
  untrackedScript,
} from "../src/projects/unsaved-scripts.ts";

const run = promisify(execFile);

describe("the scripts that look for unsaved work", () => {
  let folder: Awaited<ReturnType<typeof temporaryDirectory>>;
  beforeEach(async () => {
    folder = await temporaryDirectory("berth-unsaved-");
  });
  afterEach(() => folder.dispose());

  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=A", "-c", "user.email=a@b", ...args], { cwd: folder.path, encoding: "utf8" });
  const script = async (text: string) =>
    (await run("sh", ["-c", text, "sh", folder.path], { encoding: "buffer" })).stdout;
  const unsaved = async () => readUnsaved(await script(unsavedScript));

  it("count what only the host's worktree has, and bundle it: that may go with the sandbox", async () => {
    git("init", "-q", "-b", "main");
    git("commit", "-q", "--allow-empty", "-m", "at the remote");
    git("update-ref", "refs/remotes/origin/main", "HEAD");
    expect(await unsaved()).toMatchObject({ known: true, commits: 0 });
    expect(await script(bundleScript)).toHaveLength(0);
    git("commit", "-q", "--allow-empty", "-m", "made on the host");
    git("update-ref", "refs/remotes/host/berth/web", "HEAD");
    expect(await unsaved()).toMatchObject({ known: true, commits: 1 });
    const bundle = join(folder.path, "bundle");
    await writeFile(bundle, await script(bundleScript));
    expect(git("bundle", "list-heads", bundle)).toContain(git("rev-parse", "HEAD").trim());
    expect(git("bundle", "verify", bundle)).toContain(git("rev-parse", "origin/main").trim());
  });

  it("see repositories in folders, whatever these are called, and copy what is unsaved there", async () => {
    const odd = "o'd \"d";
    for (const [at, name] of [
      ["app", "one"],
      [`deep/${odd}`, "two"],
    ] as const) {
      const inner = join(folder.path, at);
      await mkdir(inner, { recursive: true });
      git("-C", inner, "init", "-q", "-b", "main");
      await writeFile(join(inner, "tracked"), "old\n");
      git("-C", inner, "add", "-A");
      git("-C", inner, "commit", "-qm", name);
      await writeFile(join(inner, "tracked"), "new\n");
      await writeFile(join(inner, "untracked"), name);
    }
    for (const passedOver of ["node_modules/x", "a/b/c/d", ".berth/x"])
      git("init", "-q", join(folder.path, passedOver));
    await mkdir(join(folder.path, "broken/.git"), { recursive: true });
    const found = await unsaved();
    expect(found).toMatchObject({ known: true, commits: 2, files: 4, stashes: 0 });
    expect([...found.paths].sort()).toEqual(["app/", `deep/${odd}/`]);

    // What was kept makes the same again.
    const again = join(folder.path, "again");
    await mkdir(again);
    const copy = async (text: string, ...command: [string, ...string[]]) => {
      const [program, ...args] = command;
      execFileSync(program, args, { cwd: again, input: await script(text) });
    };
    expect(await script(bundleScript)).toHaveLength(0);
    const [patch, untracked] = [await script(patchScript), await script(untrackedScript)];
    await copy(bundlesScript, "tar", "-xf", "-");
    for (const at of ["app", `deep/${odd}`]) git("clone", "-q", join(again, `${at}.bundle`), join(again, at));
    execFileSync("git", ["apply"], { cwd: again, input: patch });
    execFileSync("tar", ["-xf", "-"], { cwd: again, input: untracked });
    for (const [at, name] of [
      ["app", "one"],
      [`deep/${odd}`, "two"],
    ] as const) {
      expect(await readFile(join(again, at, "tracked"), "utf8")).toBe("new\n");
      expect(await readFile(join(again, at, "untracked"), "utf8")).toBe(name);
      expect(git("-C", join(again, at), "log", "--format=%s").trim()).toBe(name);
    }
  });

  it("count the files of a worktree in a folder, and its commits once, as the repository's own", async () => {
    git("init", "-q", "-b", "main");
    git("commit", "-q", "--allow-empty", "-m", "first");
    git("worktree", "add", "-q", "trees/side");
    await writeFile(join(folder.path, "trees/side/new"), "");
    expect(await unsaved()).toMatchObject({ commits: 1, files: 2, paths: ["trees/", "trees/side/"] });
  });
});
