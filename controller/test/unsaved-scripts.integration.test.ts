import { execFile, execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { temporaryDirectory } from "@berth/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bundleScript, unsavedScript } from "../src/projects/sandbox-scripts.ts";
import { readUnsaved } from "../src/projects/unsaved.ts";

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
});
