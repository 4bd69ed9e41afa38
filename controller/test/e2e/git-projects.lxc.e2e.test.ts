import { chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  deleteSandbox,
  fetchResultSchema,
  gitFetch,
  gitPush,
  gitUnsaved,
  guestPaths,
  listKeptWork,
  pushResultSchema,
  type Sandbox,
} from "@berth/protocol";
import { temporaryDirectory } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";
import { git, gitResult, inWorkspace, makeRemote, worktreeOf } from "./git-flow.ts";
import { listingOf, makeOddTree, without } from "./odd-tree.ts";

describe("a git project in a real container", () => {
  let folder: Awaited<ReturnType<typeof temporaryDirectory>>;
  let berth: Berth;
  let origin: string;
  let source: string;
  let sandbox: Sandbox;

  beforeAll(async () => {
    folder = await temporaryDirectory("berth-git-e2e-");
    ({ origin, source } = await makeRemote(folder.path));
    await makeOddTree(join(source, "odd"));
    await git(source, "add", "-A");
    await git(source, "commit", "-qm", "odd names, modes and links, and large files");
    await git(source, "push", "-q", origin, "HEAD:main");
    berth = await startBerth({ env: { BERTH_WORKSPACE_ROOTS: folder.path } });
    const author = { name: "Ann O'Hara", email: "ann@example.org" };
    sandbox = await berth.readySandbox({ name: "gitty", workspace: { type: "git", url: origin, author } });
  });
  afterAll(async () => {
    await berth?.dispose();
    await folder?.dispose();
  });
  const push = async () =>
    gitResult(berth, pushResultSchema, await berth.client.call(gitPush, { params: { id: sandbox.id }, body: {} }));
  const here = (command: string) => inWorkspace(berth, sandbox, command);

  it("works in both places, as the user of the terminals", async () => {
    expect(await here("id -un && stat -c %U .git readme.md && git log --format=%an -1")).toBe("berth\nberth\nberth\nA");
    await here("printf 'a\\0b' > binary && git add -A && git commit -qm 'in the sandbox'");
    const pushed = await push();
    expect(await git(origin, "log", "-1", "--format=%an %s", "berth/gitty")).toBe("Ann O'Hara in the sandbox");
    expect(await git(worktreeOf(pushed), "status", "--porcelain")).toBe("");
  });

  it("travels from the remote to the sandbox and back with odd names, modes and links", async () => {
    const workspace = join(await berth.rootOf(sandbox), guestPaths.workspace);
    const listed = (root: string) => listingOf(join(root, "odd"), { asGit: true });
    expect(await listed(workspace)).toEqual(await listed(source));

    await here(
      "chmod +x odd/modes/600 && git mv odd/lines \"$(printf 'odd/\\377\\n x')\" && ln -s ../lines odd/links/more",
    );
    await here("git add -A && git commit -qm 'odd names of its own'");
    const pushed = await push();
    const treeIn = (command: string) => here(`git rev-parse '${command}^{tree}'`);
    expect(await git(origin, "rev-parse", "berth/gitty^{tree}")).toBe(await treeIn("HEAD"));
    // On the host's worktree links are text, as no sandbox's may lead out of it.
    const ofFiles = async (root: string) => without(["links"], await listed(root));
    expect(await ofFiles(worktreeOf(pushed))).toEqual(await ofFiles(workspace));

    await git(source, "pull", "-q", "--ff-only", origin, "berth/gitty");
    expect(await listed(source)).toEqual(await listed(workspace));
    await git(source, "mv", "odd/names/-rf", "odd/names/-rf\n");
    await git(source, "commit", "-qm", "odd names of the host's");
    await git(source, "push", "-q", origin, "HEAD:main");
    const fetched = await berth.client.call(gitFetch, { params: { id: sandbox.id } });
    await gitResult(berth, fetchResultSchema, fetched);
    await here("git merge -q --ff-only origin/main");
    expect(await listed(workspace)).toEqual(await listed(source));
    expect(await treeIn("HEAD")).toBe(await git(source, "rev-parse", "HEAD^{tree}"));
  });

  it("lets a hostile repository run its programs in the sandbox alone", async () => {
    const marks = join(folder.path, "marks");
    await mkdir(marks);
    await writeFile(join(marks, "before"), "");
    await chmod(marks, 0o777);
    const program = `#!/bin/sh\\ntouch ${marks}/executed\\n`;
    await here(`mkdir -p .git/hooks && printf '${program}' > .git/evil && chmod +x .git/evil`);
    for (const name of ["core.fsmonitor", "core.sshCommand", "uploadpack.packObjectsHook", "core.alternateRefsCommand"])
      await here(`git config ${name} "$PWD/.git/evil"`);
    await here("for h in pre-receive post-receive update post-checkout; do cp .git/evil .git/hooks/$h; done");
    await here("ln -s /etc/passwd link && echo '* filter=evil' > .gitattributes");
    await here("git -c core.fsmonitor= add -A && git -c core.fsmonitor= commit -qm hostile");
    const pushed = await push();
    expect(pushed.worktree?.state).toBe("current");
    expect(await readdir(marks)).toEqual(["before"]);
  });

  it("keeps what is unsaved when it is destroyed with it", async () => {
    await here("git config --unset core.fsmonitor; echo more >> readme.md");
    expect(await berth.client.call(gitUnsaved, { params: { id: sandbox.id } })).toMatchObject({ files: 1, commits: 0 });
    const destroy = (query = {}) => berth.client.call(deleteSandbox, { params: { id: sandbox.id }, query });
    await expect(destroy()).rejects.toMatchObject({ code: "unsaved_work" });
    await berth.ended((await destroy({ discard: true })).operation.id);
    const { items } = await berth.client.call(listKeptWork, {});
    expect(items.map(({ parts }) => parts.map(({ part }) => part))).toEqual([["patch"]]);
  });
});
