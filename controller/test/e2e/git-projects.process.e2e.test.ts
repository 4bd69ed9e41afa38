import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  cancelOperation,
  deleteSandbox,
  downloadKeptWork,
  fetchResultSchema,
  getOperation,
  getSandbox,
  getSandboxProject,
  gitFetch,
  gitPush,
  gitUnsaved,
  gitWorktree,
  type KeptPart,
  listKeptWork,
  listProjects,
  type Operation,
  pushResultSchema,
  routeUrl,
  type Sandbox,
  sleepSandbox,
  stopSandbox,
  worktreeResultSchema,
} from "@berth/protocol";
import { eventually, temporaryDirectory } from "@berth/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";
import { commitFile, git, gitResult, inWorkspace, makeRemote, worktreeOf } from "./git-flow.ts";

const run = promisify(execFile);

describe("a sandbox of a git project", () => {
  let folder: Awaited<ReturnType<typeof temporaryDirectory>>;
  let berth: Berth;
  let origin: string;
  let source: string;
  let sandbox: Sandbox;

  beforeAll(async () => {
    folder = await temporaryDirectory("berth-git-e2e-");
    ({ origin, source } = await makeRemote(folder.path));
    berth = await startBerth({ env: { BERTH_WORKSPACE_ROOTS: folder.path } });
    sandbox = await berth.readySandbox({ name: "gitty", workspace: { type: "git", url: origin } });
  });
  afterAll(async () => {
    await berth?.dispose();
    await folder?.dispose();
  });

  const params = () => ({ id: sandbox.id });
  const here = (command: string) => inWorkspace(berth, sandbox, command);
  const push = async (body = {}) =>
    gitResult(berth, pushResultSchema, await berth.client.call(gitPush, { params: params(), body }));
  const fetch = async () =>
    gitResult(berth, fetchResultSchema, await berth.client.call(gitFetch, { params: params() }));
  const worktree = async () => {
    const withFiles = { params: params(), query: { files: true } };
    return gitResult(berth, worktreeResultSchema, await berth.client.call(gitWorktree, withFiles));
  };
  const gone = (id: string) =>
    eventually(async () =>
      berth.client.call(getSandbox, { params: { id } }).then(
        () => false,
        () => true,
      ),
    );

  it("has its workspace filled, on a branch of its own", async () => {
    expect(sandbox).toMatchObject({ state: "ready", workspace: { type: "git", url: origin } });
    expect(await here("cat readme.md && git symbolic-ref --short HEAD")).toBe("hello\nberth/gitty");
    expect(await berth.client.call(getSandboxProject, { params: params() })).toMatchObject({
      branch: "berth/gitty",
      baseBranch: "main",
      project: { url: origin, defaultBranch: "main", credential: false },
    });
  });

  it("pushes its commits with the controller's rights, and gets the remote's", async () => {
    await here("echo new > new.txt && git add -A && git commit -qm 'in the sandbox'");
    expect(await berth.client.call(gitUnsaved, { params: params() })).toMatchObject({ commits: 1, files: 0 });
    const pushed = await push();
    expect(pushed).toMatchObject({ state: "pushed", remoteBranch: "berth/gitty", worktree: { state: "current" } });
    expect(await git(origin, "rev-parse", "berth/gitty")).toBe(pushed.commit);
    expect(await readFile(join(worktreeOf(pushed), "new.txt"), "utf8")).toBe("new\n");
    expect(await berth.client.call(gitUnsaved, { params: params() })).toMatchObject({ known: true, commits: 0 });

    const theirs = await commitFile(source, "theirs.txt", "theirs\n");
    await git(source, "push", "-q", origin, "HEAD:main");
    await commitFile(worktreeOf(pushed), "on-the-host.txt", "host\n");
    expect(await fetch()).toMatchObject({ worktree: { state: "diverged" } });
    expect(await here("git rev-parse origin/main")).toBe(theirs);
    expect(await worktree()).toMatchObject({ state: "diverged", files: null });
    await here("git merge -q --no-edit host/berth/gitty origin/main && cat on-the-host.txt theirs.txt");
    expect(await push({ remoteBranch: "feature" })).toMatchObject({
      remoteBranch: "feature",
      worktree: { state: "current" },
    });
    await here("echo draft > draft.txt");
    const brought = await worktree();
    expect(brought).toMatchObject({ state: "current", files: { conflicts: [] } });
    expect(await readFile(join(brought.path, "draft.txt"), "utf8")).toBe("draft\n");
    await here("rm draft.txt");
    await worktree();
    await expect(readFile(join(brought.path, "draft.txt"), "utf8")).rejects.toThrow("ENOENT");
  });

  it("says why a push is refused", async () => {
    await git(source, "push", "-q", origin, "HEAD:refs/heads/other");
    await commitFile(source, "other.txt", "other\n");
    await git(source, "push", "-q", origin, "HEAD:refs/heads/other");
    await expect(push({ remoteBranch: "other" })).rejects.toMatchObject({ code: "push_rejected" });
    await expect(push({ remoteBranch: "--force" })).rejects.toMatchObject({ code: "invalid_request" });
  });

  describe("in the middle of a push", () => {
    /** What git reads first of a repository: a pipe, so that it waits there. */
    const alternates = () => join(origin, "objects", "info", "alternates");
    let held: FileHandle | undefined;

    /** A push that waits for the remote; answers its operation. */
    async function heldUp(): Promise<Operation> {
      await here("date +%N > change.txt && git add -A && git commit -qm change");
      await run("mkfifo", [alternates()]);
      const { operation } = await berth.client.call(gitPush, { params: params(), body: {} });
      // Nobody can write into a pipe that nobody reads.
      held = await eventually(() => open(alternates(), constants.O_WRONLY | constants.O_NONBLOCK));
      return operation;
    }
    async function letGo(): Promise<void> {
      await rm(alternates(), { force: true });
      await held?.close();
      held = undefined;
    }
    afterEach(letGo);
    const ended = ({ id }: Operation) =>
      eventually(async () => {
        const seen = await berth.client.call(getOperation, { params: { id } });
        return seen.finishedAt === null ? undefined : seen;
      });

    it("can be given up, and pushes later", async () => {
      const before = await git(origin, "rev-parse", "berth/gitty");
      const operation = await heldUp();
      await berth.client.call(cancelOperation, { params: { id: operation.id } });
      expect(await ended(operation)).toMatchObject({ state: "cancelled" });
      await letGo();
      expect(await git(origin, "rev-parse", "berth/gitty")).toBe(before);
      expect(await push()).toMatchObject({ state: "pushed" });
      expect(await git(origin, "rev-parse", "berth/gitty")).toBe(await here("git rev-parse HEAD"));
    });

    it("goes on after the controller was killed", async () => {
      const operation = await heldUp();
      await berth.crash();
      await berth.start();
      await letGo();
      expect(await ended(operation)).toMatchObject({ state: "succeeded" });
      expect(await git(origin, "rev-parse", "berth/gitty")).toBe(await here("git rev-parse HEAD"));
    });
  });

  it("cannot be made from what may not be used", async () => {
    const make = (url: string) => berth.create({ workspace: { type: "git", url } });
    await expect(make("ext::sh -c id")).rejects.toMatchObject({ code: "invalid_request" });
    await expect(make("https://user:secret@example.org/a")).rejects.toMatchObject({ code: "invalid_request" });
    await expect(make("/etc")).rejects.toMatchObject({ code: "forbidden" });
    const { operation } = await berth
      .create({ name: "none", workspace: { type: "git", url: join(folder.path, "no.git") } })
      .catch((error: unknown) => ({ operation: error }));
    expect(operation).toMatchObject({ code: "forbidden" });
  });

  it("is not destroyed with unsaved work unless told to; what was there is kept, and can be had", async () => {
    await here("echo more >> readme.md && echo x > 'untracked -file' && mkdir -p d && echo y > d/e");
    await here("echo z > z && git add z && git commit -qm unpushed");
    const destroy = (query = {}) => berth.client.call(deleteSandbox, { params: params(), query });
    await expect(destroy()).rejects.toMatchObject({
      code: "unsaved_work",
      message: /1 unpushed commit, 3 uncommitted files/,
    });
    const { operation } = await destroy({ discard: true });
    const ended = await berth.ended(operation.id);
    expect(ended.steps[0]).toMatchObject({ name: "keep", state: "succeeded" });
    await gone(sandbox.id);

    const { items } = await berth.client.call(listKeptWork, {});
    expect(items).toMatchObject([{ sandboxName: "gitty", url: origin, missing: null }]);
    expect(items[0]?.parts.map(({ part }) => part)).toEqual(["bundle", "patch", "untracked"]);
    const copy = join(folder.path, "copy");
    await git(folder.path, "clone", "-q", "-b", "feature", origin, copy);
    for (const part of ["bundle", "patch", "untracked"] as const)
      await writeFile(join(folder.path, part), await kept(items[0]?.id ?? "", part));
    await git(copy, "fetch", "-q", join(folder.path, "bundle"), "berth/gitty");
    await git(copy, "merge", "-q", "--ff-only", "FETCH_HEAD");
    await git(copy, "apply", join(folder.path, "patch"));
    await run("tar", ["-C", copy, "-xf", join(folder.path, "untracked")]);
    expect(await readFile(join(copy, "readme.md"), "utf8")).toBe("hello\nmore\n");
    expect([await readFile(join(copy, "untracked -file"), "utf8"), await readFile(join(copy, "z"), "utf8")]).toEqual([
      "x\n",
      "z\n",
    ]);
    const [project] = await readdir(join(berth.dataDir, "projects"));
    expect(await readdir(join(berth.dataDir, "projects", project ?? "", "worktrees"))).toEqual([]);
    expect((await berth.client.call(listProjects, {})).items).toHaveLength(1);
  });

  async function kept(id: string, part: KeptPart): Promise<Buffer> {
    const url = `${berth.url}${routeUrl(downloadKeptWork, { params: { id, part } })}`;
    const response = await globalThis.fetch(url, { headers: { authorization: `Bearer ${berth.token}` } });
    expect(response.status).toBe(200);
    return Buffer.from(await response.arrayBuffer());
  }

  it("goes without a question when nothing would be lost, also where that is known from when it was shut down", async () => {
    const plain = await berth.readySandbox({ name: "plain" });
    const clean = await berth.readySandbox({
      name: "clean",
      workspace: { type: "git", url: origin, branch: "feature" },
    });
    const off = await berth.readySandbox({ name: "off", workspace: { type: "git", url: origin } });
    await berth.ended((await berth.client.call(stopSandbox, { params: { id: off.id } })).operation.id);
    for (const { id } of [plain, clean, off]) {
      await berth.ended((await berth.client.call(deleteSandbox, { params: { id } })).operation.id);
    }
  });

  it("is nobody's project, and has work that was unsaved when it was put to sleep and then stopped: that is told", async () => {
    const own = await berth.readySandbox({ name: "own" });
    const id = { params: { id: own.id } };
    const workspace = join(await berth.rootOf(own), "workspace");
    await git(workspace, "init", "-q");
    await writeFile(join(workspace, "kept.txt"), "x");
    await berth.ended((await berth.client.call(sleepSandbox, id)).operation.id);
    await berth.ended((await berth.client.call(stopSandbox, id)).operation.id);
    const destroy = (query = {}) => berth.client.call(deleteSandbox, { ...id, query });
    const message = /had work that is nowhere else when it was shut down \(20.*\): 1 uncommitted file\./;
    await expect(destroy()).rejects.toMatchObject({ code: "unsaved_work", message });
    await berth.ended((await destroy({ discard: true })).operation.id);
  });

  it("says why it cannot be filled, and can be given up meanwhile", async () => {
    const wrong = await berth.create({ workspace: { type: "git", url: origin, branch: "no-such-branch" } });
    await expect(berth.ended(wrong.operation.id)).rejects.toThrow(/has no branch no-such-branch/);
    const { id } = wrong.sandbox;
    expect(await berth.client.call(getSandbox, { params: { id } })).toMatchObject({ state: "failed" });
    await berth.ended((await berth.client.call(deleteSandbox, { params: { id } })).operation.id);

    // Nobody listens there: it is tried again and again.
    const away = await berth.create({ workspace: { type: "git", url: "https://127.0.0.1:1/a.git" } });
    const workspaceStep = async () => {
      const { steps } = await berth.client.call(getOperation, { params: { id: away.operation.id } });
      return steps.find(({ name }) => name === "workspace")?.detail ?? "";
    };
    await eventually(async () => /Trying again/.test(await workspaceStep()), { timeoutMs: 60_000 });
    expect(await workspaceStep()).toMatch(/The git remote cannot be used: .*127\.0\.0\.1/);
    await berth.client.call(cancelOperation, { params: { id: away.operation.id } });
    await gone(away.sandbox.id);
  });

  it("is filled after the controller was killed meanwhile", async () => {
    await mkdir(join(folder.path, "big"));
    const big = await makeRemote(join(folder.path, "big"));
    for (let number = 0; number < 3; number++) await commitFile(big.source, `f${number}`, "x".repeat(1000));
    await git(big.source, "push", "-q", big.origin, "HEAD:main");
    const { sandbox: made, operation } = await berth.create({
      name: "cut",
      workspace: { type: "git", url: big.origin },
    });
    await eventually(async () => (await readdir(join(berth.dataDir, "projects"))).length > 1, { timeoutMs: 60_000 });
    await berth.crash();
    await berth.start();
    await berth.ended(operation.id);
    expect(await inWorkspace(berth, made, "git status --porcelain && ls")).toBe("f0\nf1\nf2\nreadme.md");
  });
});
