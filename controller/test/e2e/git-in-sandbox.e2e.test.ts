import { fetchResultSchema, gitFetch, type Sandbox, updateSandboxProject } from "@berth/protocol";
import { eventually, temporaryDirectory } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";
import { commitFile, git, gitResult, inWorkspace, makeRemote } from "./git-flow.ts";

/** The remote is a folder of the controller's host, so no sandbox has a way to it of its own. */
describe("git that is typed in a sandbox", () => {
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

  /** What it says, on both of its outputs, and its exit code if that is not 0. */
  const here = (command: string, where = sandbox) =>
    inWorkspace(berth, where, `{ ${command}; } 2>&1 || echo "exit $?"`);
  const commit = (name: string) => here(`echo ${name} > ${name} && git add -A && git commit -qm 'add ${name}'`);
  const refs = () => git(origin, "for-each-ref", "--format=%(refname:short)");
  const allow = (push: "none" | "own" | "own-rewrite" | "any") =>
    berth.client.call(updateSandboxProject, { params: { id: sandbox.id }, body: { push } });

  it("pushes the sandbox's branch to the project's remote, and brings the host's worktree along", async () => {
    await commit("one");
    expect(await here("git push")).toMatch(/\[new branch\] +berth\/gitty -> berth\/gitty/);
    expect(await git(origin, "log", "-1", "--format=%s", "berth/gitty")).toBe("add one");
    expect(await here("git status -sb")).toBe("## berth/gitty...origin/berth/gitty");
    expect(await here("git push")).toBe("Everything up-to-date");
    const head = await here("git rev-parse HEAD");
    const { commit: known } = await allow("own");
    expect(known).toBe(head);
  });

  it("fetches and pulls what is new there", async () => {
    const theirs = await commitFile(source, "theirs.txt", "theirs\n");
    await git(source, "push", "-q", origin, "HEAD:main", "HEAD:refs/heads/topic", "HEAD:refs/tags/v1");
    expect(await here("git fetch --tags")).toMatch(/\[new branch\] +topic +-> origin\/topic/);
    expect(await here("git rev-parse origin/main v1 | sort -u")).toBe(theirs);
    expect(await here("git pull -q --no-rebase --no-edit origin main && cat theirs.txt")).toBe("theirs");
    expect(await here("git push -q")).toBe("");
  });

  it("sees nothing of what other sandboxes have not pushed", async () => {
    const other = await berth.readySandbox({ name: "other", workspace: { type: "git", url: origin } });
    await here("echo secret > secret && git add -A && git commit -qm secret", other);
    const secret = await here("git rev-parse HEAD", other);
    const fetched = await berth.client.call(gitFetch, { params: { id: other.id } });
    expect(await gitResult(berth, fetchResultSchema, fetched)).toMatchObject({ commit: secret });
    expect(await here("git ls-remote")).not.toContain(secret);
    expect(await here(`git fetch origin ${secret}`)).toMatch(/does not allow request for unadvertised object/);
    expect(await here("git push origin HEAD:berth/other")).toMatch(
      /may push berth\/gitty and branches berth\/gitty\.\*/,
    );
    await git(source, "fetch", "-q", origin);
  });

  it("is refused what its owner has not allowed, says why, and does it once it is allowed", async () => {
    await commit("two");
    const refused = await here("git push origin HEAD:main HEAD");
    expect(refused).toMatch(/remote rejected.*HEAD -> main \(the sandbox gitty may push berth\/gitty/);
    expect(refused).toMatch(/berth git allow gitty/);
    expect(refused).toMatch(/exit 1$/);
    expect(await git(origin, "log", "-1", "--format=%s", "berth/gitty")).not.toBe("add two");
    await here("git push -q origin HEAD HEAD:berth/gitty.topic");
    expect(await refs()).toContain("berth/gitty.topic");
    expect(await here("git push origin :berth/gitty.topic")).toMatch(/may not delete branches.*exit 1$/s);
    await here("git commit -q --amend -m 'add two, again'");
    expect(await here("git push")).toMatch(/non-fast-forward.*exit 1$/s);
    expect(await here("git push -f")).toMatch(/may not overwrite commits of a branch.*exit 1$/s);

    expect(await allow("own-rewrite")).toMatchObject({ push: "own-rewrite" });
    expect(await here("git push -q -f && git push -q origin :berth/gitty.topic")).toBe("");
    expect(await refs()).not.toContain("berth/gitty.topic");
    expect(await git(origin, "log", "-1", "--format=%s", "berth/gitty")).toBe("add two, again");
    await allow("any");
    expect(await here("git push -q origin HEAD:main && git tag v2 && git push -q origin v2")).toBe("");
    expect(await git(origin, "rev-parse", "main", "v2")).toBe(await here("git rev-parse HEAD HEAD"));
    await allow("none");
    expect(await here("git push origin HEAD:berth/gitty.more")).toMatch(/may push nothing.*exit 1$/s);
    await allow("own");
  });

  it("reaches no other repository by way of the controller", async () => {
    await here(`git remote add elsewhere ${folder.path}/source && git config remote.elsewhere.vcs berth`);
    expect(await here("git fetch elsewhere")).toMatch(
      /only .*origin\.git is reached by way of the controller.*exit 128$/s,
    );
  });

  it("says that the controller is away, and works again once it is back", async () => {
    await berth.crash();
    await eventually(async () =>
      /controller of this sandbox cannot be reached.*exit 128$/s.test(await here("git fetch")),
    );
    await berth.start();
    await eventually(async () => (await here("git fetch")) === "", { timeoutMs: 30_000 });
  });
});
