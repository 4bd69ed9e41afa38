import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { WorkspaceAnswer } from "@berth/protocol/link";
import { describe, expect, it } from "vitest";
import { keptMs, pruneDiscarded } from "../src/agent/git/discarded.ts";
import { workspaceOfEachTest } from "./support/workspace.ts";
import { asInput, linkPath } from "./support/workspace-call.ts";

const workspace = workspaceOfEachTest();
const { at, done, refused } = workspace;

const who = ["-c", "user.name=T", "-c", "user.email=t@example.org"];
/** The user's own git. */
const git = (...argv: string[]) =>
  execFileSync("git", [...who, ...argv], {
    cwd: workspace.path,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: "/usr/bin:/bin", HOME: workspace.environment.HOME },
  });
const commitAll = (message: string) => {
  git("add", "-A");
  git("commit", "-q", "-m", message);
};
const status = async (path = "", untracked: "no" | "normal" | "all" = "all") =>
  (await done("gitStatus", { path: linkPath(path), untracked })).body.toString();
const diff = async (more: { staged?: boolean; base?: string; path?: string } = {}) => {
  const { path = "", staged = false, ...rest } = more;
  return (await done("gitDiff", { path: linkPath(path), staged, context: 3, ...rest })).body.toString();
};
const text = (path: string | null) => (path === null ? null : Buffer.from(path, "base64url").toString());
const discard = async (paths: (string | Buffer)[], path = "") => {
  const answer = (await done("gitDiscard", { path: linkPath(path) }, asInput(paths))).answer;
  const { files, kept } = answer as WorkspaceAnswer<"gitDiscard">;
  return { files, kept: text(kept) };
};

describe("a repository of the workspace", () => {
  it("counts what is in it and nowhere else, whatever it is", async () => {
    expect(await refused("gitUnsaved", {})).toBe("not_found");
    const unsaved = async () => (await done("gitUnsaved", {})).answer;
    git("init", "-q", "-b", "main");
    expect(await unsaved()).toEqual({ commits: 0, stashes: 0, files: 0 });
    writeFileSync(at("a"), "a");
    commitAll("first");
    expect(await unsaved()).toEqual({ commits: 1, stashes: 0, files: 0 });
    // What came from the host's worktree goes with the sandbox.
    git("update-ref", "refs/remotes/host/berth/web", "HEAD");
    expect(await unsaved()).toEqual({ commits: 1, stashes: 0, files: 0 });
    git("update-ref", "refs/remotes/origin/main", "HEAD");
    expect(await unsaved()).toEqual({ commits: 0, stashes: 0, files: 0 });
    git("branch", "side", git("commit-tree", "-p", "HEAD", "-m", "elsewhere", "HEAD^{tree}").trim());
    writeFileSync(at("a"), "changed");
    git("stash", "-q");
    writeFileSync(at("a"), "changed again");
    writeFileSync(at("new"), "");
    expect(await unsaved()).toEqual({ commits: 1, stashes: 1, files: 2 });
  });

  it("does not answer for the repositories in folders, but for those where nobody works", async () => {
    for (const name of ["node_modules/x", "a/b/c/d", ".berth/x"]) git("init", "-q", at(name));
    expect(await refused("gitUnsaved", {})).toBe("not_found");
    git("init", "-q", at("a/b/c"));
    expect(await refused("gitUnsaved", {})).toBe("conflict");
    git("init", "-q");
    expect(await refused("gitUnsaved", {})).toBe("conflict");
  });

  it("tells what has changed, as git does, with any names", async () => {
    git("init", "-q", "-b", "main");
    for (const name of ["a", "b", "sp ace"]) writeFileSync(at(name), `${name}\n`.repeat(20));
    commitAll("first");
    writeFileSync(at("a"), "changed\n");
    git("mv", "b", "moved");
    writeFileSync(at("new\nline"), "");
    writeFileSync(Buffer.concat([Buffer.from(`${workspace.path}/`), Buffer.from([0xff])]), "");
    const own = git("status", "--porcelain=v2", "-z", "--branch", "-uall");
    expect(await status()).toBe(own);
    expect(await status("moved"), "of one path").toContain("moved\0b\0".slice(0, 5));
    expect(await diff()).toContain("+changed");
    expect(await diff({ staged: true })).toContain("rename to moved");
    expect(await diff({ path: "moved" })).toBe("");
    git("checkout", "-q", "-b", "topic");
    commitAll("second");
    writeFileSync(at("later"), "later\n");
    git("add", "later");
    const against = await diff({ base: "main" });
    expect(against).toContain("+changed");
    expect(against).toContain("+later");
    expect(await refused("gitDiff", { path: "", staged: false, context: 3, base: "no-such" })).toBe("not_found");
  });

  it("is the one that a path lies in, and none above the workspace", async () => {
    execFileSync("git", ["init", "-q", workspace.outside]);
    expect(await refused("gitStatus", { path: "", untracked: "all" })).toBe("not_found");
    mkdirSync(at("sub/deep"), { recursive: true });
    git("init", "-q", "sub");
    writeFileSync(at("sub/deep/f"), "");
    expect(await status("sub/deep")).toContain("? deep/f");
    const { answer } = await done("gitStatus", { path: linkPath("sub/deep/gone/f"), untracked: "all" });
    expect(text((answer as WorkspaceAnswer<"gitStatus">).root)).toBe("sub");
    expect(await refused("gitStage", { path: linkPath("sub") }, asInput(["other"]))).toBe("invalid_request");
  });

  it("that lies outside of the workspace, or would lead there, is not looked at", async () => {
    const outside = join(workspace.outside, "other");
    execFileSync("git", ["init", "-q", outside]);
    writeFileSync(join(outside, "secret"), "secret");
    const looks = async () => refused("gitStatus", { path: "", untracked: "all" });
    writeFileSync(at(".git"), `gitdir: ${outside}/.git\n`);
    expect(await looks()).toBe("conflict");
    rmSync(at(".git"));
    symlinkSync(join(outside, ".git"), at(".git"));
    expect(await looks()).toBe("not_found");
    rmSync(at(".git"));
    git("init", "-q");
    writeFileSync(at(".git/commondir"), join(outside, ".git"));
    expect(await looks()).toBe("conflict");
    rmSync(at(".git/commondir"));
    git("config", "core.worktree", outside);
    expect(await status()).not.toContain("secret");
  });

  it("starts nothing that its configuration names when it is looked at", async () => {
    git("init", "-q", "-b", "main");
    writeFileSync(at("f"), "f\n");
    writeFileSync(at(".gitattributes"), "* filter=evil diff=evil\n");
    commitAll("first");
    const evil = (name: string) => `touch ${at(`evil-${name}`)}; cat`;
    for (const key of [
      "core.fsmonitor",
      "diff.external",
      "core.pager",
      "core.editor",
      "gpg.program",
      "core.sshCommand",
    ])
      git("config", key, evil(key));
    for (const key of ["filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "diff.evil.textconv"])
      git("config", key, evil(key));
    for (const [key, value] of [
      ["filter.evil.required", "true"],
      ["diff.evil.command", evil("command")],
      ["log.showSignature", "true"],
    ])
      git("config", String(key), String(value));
    mkdirSync(at("hooks"));
    for (const hook of ["post-index-change", "pre-commit", "post-commit", "prepare-commit-msg", "fsmonitor-watchman"]) {
      writeFileSync(at(`hooks/${hook}`), `#!/bin/sh\n${evil(hook)}\n`);
      chmodSync(at(`hooks/${hook}`), 0o755);
    }
    git("config", "core.hooksPath", at("hooks"));
    git("config", "include.path", "more");
    writeFileSync(at(".git/more"), `[filter "also"]\n\tclean = ${evil("included")}\n`);
    writeFileSync(at("f"), "another\n");
    expect(await status()).toContain("f");
    expect(await diff()).toContain("+another");
    await diff({ base: "main" });
    await done("gitLog", { path: "", skip: 0, limit: 10 });
    expect(readdirSync(workspace.path).filter((name) => name.startsWith("evil"))).toEqual([]);
    git("config", "--remove-section", "filter.evil");
    const commit = { path: "", message: "m", all: true, amend: false, author: { name: "A", email: "a@example.org" } };
    await done("gitCommit", commit);
    expect(readdirSync(workspace.path).filter((name) => name.startsWith("evil"))).toEqual([]);
    expect(git("--no-pager", "-c", "log.showSignature=false", "log", "-1", "--format=%an %cn %s")).toBe("A A m\n");
  });

  it("that lacks objects has nobody fetch them", async () => {
    git("init", "-q", "-b", "main");
    writeFileSync(at("f"), "f\n");
    commitAll("first");
    const object = git("rev-parse", "HEAD:f").trim();
    rmSync(at(`.git/objects/${object.slice(0, 2)}/${object.slice(2)}`));
    const settings = {
      "core.repositoryFormatVersion": "1",
      "extensions.partialClone": "origin",
      "remote.origin.promisor": "true",
      "remote.origin.url": `ext::sh -c touch% ${at("evil")}`,
      "protocol.ext.allow": "always",
    };
    for (const [key, value] of Object.entries(settings)) git("config", key, value);
    writeFileSync(at("f"), "another\n");
    expect(await refused("gitDiff", { path: "", staged: false, context: 3 })).toBe("conflict");
    expect(existsSync(at("evil"))).toBe(false);
    expect(() => git("diff", "--patch"), "the user's own git").toThrow();
    expect(existsSync(at("evil"))).toBe(true);
  });

  it("is not written to when it is looked at", async () => {
    git("init", "-q");
    writeFileSync(at("f"), "f\n");
    commitAll("first");
    const index = statSync(at(".git/index"), { bigint: true });
    writeFileSync(at("f"), "f\n");
    await status();
    await diff();
    expect(statSync(at(".git/index"), { bigint: true }).ctimeNs).toBe(index.ctimeNs);
    writeFileSync(at(".git/index.lock"), "");
    expect(await status()).toContain("branch.head");
    expect(await refused("gitStage", { path: "" }, asInput(["f"]))).toBe("conflict");
  });

  it("takes changes in and out of the index, before the first commit, too, by names that are no patterns", async () => {
    git("init", "-q");
    for (const name of ["*", "a", ":(top)", "-A"]) writeFileSync(at(name), "x");
    const names = () =>
      git("-c", "core.quotePath=false", "diff", "--cached", "--name-only").trim().split("\n").filter(Boolean);
    await done("gitStage", { path: "" }, asInput(["*", ":(top)", "-A"]));
    expect(names()).toEqual(["*", "-A", ":(top)"]);
    await done("gitUnstage", { path: "" }, asInput(["*", "-A"]));
    expect(names()).toEqual([":(top)"]);
    expect(await refused("gitStage", { path: "" }, asInput([]))).toBe("invalid_request");
    expect(await refused("gitStage", { path: "" }, asInput(["../x"]))).toBe("invalid_request");
    await done("gitStage", { path: "" }, asInput([""]));
    expect(names()).toHaveLength(4);
    const author = { name: "A", email: "a@example.org" };
    await done("gitCommit", { path: "", message: "first\n\nbody", all: false, amend: false, author });
    rmSync(at("a"));
    await done("gitStage", { path: "" }, asInput(["a"]));
    await done("gitUnstage", { path: "" }, asInput(["a"]));
    expect(names()).toEqual([]);
    const nothing = { path: "", message: "m", all: false, amend: false, author };
    expect(await refused("gitCommit", nothing)).toBe("conflict");
    const { answer } = await done("gitCommit", { path: "", message: "again", all: true, amend: true, author });
    expect((answer as WorkspaceAnswer<"gitCommit">).commit).toBe(git("rev-parse", "HEAD").trim());
    expect(git("log", "--format=%s")).toBe("again\n");
  });

  it("keeps what is discarded", async () => {
    git("init", "-q");
    mkdirSync(at("d"));
    for (const name of ["d/tracked", "d/gone", "staged"]) writeFileSync(at(name), "committed\n");
    commitAll("first");
    writeFileSync(at("d/tracked"), "mine\n");
    rmSync(at("d/gone"));
    writeFileSync(at("d/-new"), "new\n");
    writeFileSync(at("staged"), "staged\n");
    git("add", "staged");
    writeFileSync(at("staged"), "later\n");
    const first = await discard(["d", "staged"]);
    expect(first).toEqual({ files: 4, kept: expect.stringMatching(/^\.berth\/discarded\/\d{4}-/) });
    expect(readFileSync(at("d/tracked"), "utf8")).toBe("committed\n");
    expect(readFileSync(at("d/gone"), "utf8")).toBe("committed\n");
    expect(existsSync(at("d/-new"))).toBe(false);
    expect(readFileSync(at("staged"), "utf8")).toBe("staged\n");
    const kept = (name: string) => readFileSync(at(`${first.kept}/${name}`), "utf8");
    expect([kept("d/tracked"), kept("d/-new"), kept("staged")]).toEqual(["mine\n", "new\n", "later\n"]);
    expect(await discard(["d"])).toEqual({ files: 0, kept: null });
    expect(await status()).not.toContain(".berth");
    await pruneDiscarded(workspace.path, Date.now() + keptMs / 2, new AbortController().signal);
    expect(existsSync(at(first.kept ?? ""))).toBe(true);
    await pruneDiscarded(workspace.path, Date.now() + keptMs + 60_000, new AbortController().signal);
    expect(existsSync(at(first.kept ?? ""))).toBe(false);
  });

  it("gives back what it has taken away if git does not go on", async () => {
    git("init", "-q");
    writeFileSync(at("f"), "committed\n");
    commitAll("first");
    writeFileSync(at("f"), "mine\n");
    writeFileSync(at("new"), "new\n");
    writeFileSync(at(".git/index.lock"), "");
    expect(await refused("gitDiscard", { path: "" }, asInput(["f", "new"]))).toBe("conflict");
    expect(readFileSync(at("f"), "utf8")).toBe("mine\n");
    expect(readFileSync(at("new"), "utf8")).toBe("new\n");
  });
});
