import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, lstat, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { Scope } from "@berth/base";
import { sshKeyPair } from "@berth/base/node";
import { newId } from "@berth/protocol";
import { startSshServer, temporaryDirectory } from "@berth/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HostKeyMismatch } from "../src/bootstrap/connect.ts";
import { loadFleetKeys } from "../src/fleet/keys.ts";
import { sandboxError } from "../src/projects/failures.ts";
import { Git } from "../src/projects/git.ts";
import { Mirror, type MirrorTurn } from "../src/projects/mirror.ts";
import { type RemoteAccess, RemoteAccesses } from "../src/projects/remote-access.ts";
import { SandboxRepository } from "../src/projects/sandbox-repository.ts";
import { checkOutScript, prepareScript } from "../src/projects/sandbox-scripts.ts";
import { giveCommits, pushToRemote, sandboxRef, takeCommits } from "../src/projects/transfers.ts";
import { askUnsaved } from "../src/projects/unsaved.ts";
import { bringWorktree, isSpent, removeWorktree } from "../src/projects/worktree.ts";
import { bringWorktreeFiles } from "../src/projects/worktree-files.ts";
import { SandboxSsh } from "../src/ssh/sandbox-ssh.ts";

const run = promisify(execFile);
const author = { GIT_AUTHOR_NAME: "A", GIT_AUTHOR_EMAIL: "a@b", GIT_COMMITTER_NAME: "A", GIT_COMMITTER_EMAIL: "a@b" };
const branch = "berth/one";

/** A sandbox's repository behind a real sshd, a bare remote by path, and the controller's mirror between them. */
describe("a git project", () => {
  let scope: Scope;
  let folder: string;
  let workspace: string;
  let origin: string;
  let mirror: Mirror;
  let remote: RemoteAccess;
  let repository: SandboxRepository;
  const id = newId("sandbox");

  const git = async (cwd: string, ...args: string[]) =>
    (await run("git", ["-C", cwd, "-c", "init.defaultBranch=main", ...args], { env: { ...process.env, ...author } }))
      .stdout;
  const commitFile = async (cwd: string, name: string, text: string) => {
    await writeFile(join(cwd, name), text);
    await git(cwd, "add", "-A");
    await git(cwd, "commit", "-qm", `write ${name}`);
    return (await git(cwd, "rev-parse", "HEAD")).trim();
  };

  beforeEach(async () => {
    scope = new Scope();
    const temporary = await temporaryDirectory("berth git % test-");
    scope.add(() => temporary.dispose());
    folder = temporary.path;
    workspace = join(folder, "a root/workspace");
    origin = join(folder, "remotes/origin.git");
    const source = join(folder, "source");
    for (const path of [workspace, source, origin]) await mkdir(path, { recursive: true });
    await git(source, "init", "-q");
    await commitFile(source, "readme.md", "hello\n");
    await git(origin, "clone", "-q", "--bare", source, origin);

    const keys = await loadFleetKeys(folder);
    const sshd = await startSshServer({
      hostKey: keys.hostKey(id).privateKey,
      authorizedKeys: [keys.sshClient.publicKey],
      env: { BERTH_ROOT: join(folder, "a root") },
    });
    scope.add(() => sshd.dispose());
    const row = { id, name: "one", address: sshd.host, ssh_port: sshd.port, ssh_user: sshd.username };
    const ssh = new SandboxSsh({ dataDir: folder, keys });
    repository = new SandboxRepository(await ssh.openSsh({ ...row, bootstrapped_at: new Date() }));
    const roots = { roots: [join(folder, "remotes")], dataDir: join(folder, "data") };
    const accesses = new RemoteAccesses({ folder, roots, sshKey: undefined, sshAgentSocket: undefined });
    remote = await accesses.open({ kind: "file", url: origin }, undefined);
    mirror = new Mirror({ folder: join(folder, "project/mirror.git"), git: new Git({ folder: join(folder, "git") }) });
  });
  afterEach(() => scope.dispose());

  const bounds = { maxOutputBytes: 65_536, timeoutMs: 30_000 };
  /** As a new sandbox's workspace is filled. */
  async function fill(turn: MirrorTurn): Promise<void> {
    const base = (await turn.fetch(remote)) ?? "";
    await repository.run({
      script: prepareScript,
      lines: [origin, "Ann O'Hara $(x)", "ann@example.org", "asked"],
      ...bounds,
    });
    await giveCommits(turn, repository);
    await repository.run({ script: checkOutScript, lines: [branch, base, base], ...bounds });
  }
  const from = { sandboxId: id, branch };
  const place = () => ({ path: join(folder, "project/worktrees/one"), branch });
  const push = (turn: MirrorTurn, commit: string, more: { branch?: string; force?: boolean } = {}) =>
    pushToRemote(turn, remote, { commit, branch, force: false, ...more });

  it("fills a workspace, on a branch of its own, which knows the remote's branches and its author", async () => {
    await mirror.turn(fill);
    expect(await readFile(join(workspace, "readme.md"), "utf8")).toBe("hello\n");
    expect((await git(workspace, "symbolic-ref", "HEAD")).trim()).toBe(`refs/heads/${branch}`);
    expect((await git(workspace, "rev-parse", "origin/HEAD", "HEAD")).trim().split("\n")).toHaveLength(2);
    expect((await git(workspace, "config", "user.name")).trim()).toBe("Ann O'Hara $(x)");
    expect(await askUnsaved(repository)).toEqual({ known: true, commits: 0, files: 0, stashes: 0, paths: [] });
  });

  it("leaves alone what its user has made when it is filled again", async () => {
    await mirror.turn(fill);
    await writeFile(join(workspace, "readme.md"), "mine\n");
    await mirror.turn(fill);
    expect(await readFile(join(workspace, "readme.md"), "utf8")).toBe("mine\n");
  });

  it("fills a workspace from an empty remote", async () => {
    await rm(origin, { recursive: true });
    await mkdir(origin);
    await git(origin, "init", "-q", "--bare");
    await mirror.turn(fill);
    expect((await git(workspace, "symbolic-ref", "HEAD")).trim()).toBe(`refs/heads/${branch}`);
    const commit = await commitFile(workspace, "first.txt", "1");
    const taken = await mirror.turn((turn) => takeCommits(turn, repository, from));
    expect(taken).toBe(commit);
  });

  it("pushes a sandbox's commits to the remote, and brings the host's worktree along", async () => {
    await mirror.turn(fill);
    const commit = await commitFile(workspace, "new file.txt", "new\n");
    expect(await askUnsaved(repository)).toMatchObject({ commits: 1, files: 0 });
    await mirror.turn(async (turn) => {
      expect(await takeCommits(turn, repository, from)).toBe(commit);
      expect(await push(turn, commit)).toMatchObject({ state: "pushed" });
      expect(await push(turn, commit)).toMatchObject({ state: "up_to_date" });
      await giveCommits(turn, repository);
      expect(await bringWorktree(turn, place(), commit)).toEqual({ path: place().path, commit, state: "current" });
    });
    expect((await git(origin, "rev-parse", `refs/heads/${branch}`)).trim()).toBe(commit);
    expect(await readFile(join(place().path, "new file.txt"), "utf8")).toBe("new\n");
    expect(await askUnsaved(repository)).toMatchObject({ commits: 0 });
    expect(await mirror.turn((turn) => isSpent(turn, place(), commit))).toBe(true);
    await writeFile(join(place().path, "mine"), "on the host alone");
    expect(await mirror.turn((turn) => isSpent(turn, place(), commit))).toBe(false);
    await mirror.turn((turn) => removeWorktree(turn, place()));
    await expect(lstat(place().path)).rejects.toThrow("ENOENT");
  });

  it("explains a push that would overwrite commits, and overwrites with force only what was seen", async () => {
    await mirror.turn(fill);
    const commit = await commitFile(workspace, "a", "a");
    const other = join(folder, "source");
    const theirs = await commitFile(other, "b", "b");
    await git(other, "push", "-q", origin, `HEAD:refs/heads/${branch}`);
    await mirror.turn(async (turn) => {
      await takeCommits(turn, repository, from);
      await expect(push(turn, commit)).rejects.toMatchObject({ code: "push_rejected" });
      // The mirror has not seen their commit: force is refused, too.
      await expect(push(turn, commit, { force: true })).rejects.toMatchObject({ code: "push_rejected" });
      expect((await git(origin, "rev-parse", `refs/heads/${branch}`)).trim()).toBe(theirs);
      await turn.fetch(remote);
      await push(turn, commit, { force: true });
    });
    expect((await git(origin, "rev-parse", `refs/heads/${branch}`)).trim()).toBe(commit);
  });

  it("never overwrites what somebody has made in the worktree", async () => {
    await mirror.turn(fill);
    const first = await commitFile(workspace, "a", "a");
    const bring = (commit: string) => mirror.turn((turn) => bringWorktree(turn, place(), commit));
    await mirror.turn((turn) => takeCommits(turn, repository, from));
    await bring(first);
    await writeFile(join(place().path, "a"), "changed on the host");
    await writeFile(join(place().path, "c"), "untracked on the host");
    const second = await commitFile(workspace, "b", "b");
    await mirror.turn((turn) => takeCommits(turn, repository, from));
    expect(await bring(second)).toMatchObject({ state: "changed", commit: first });
    await git(place().path, "checkout", "-q", "--", "a");
    const third = await commitFile(workspace, "c", "the sandbox's");
    await mirror.turn((turn) => takeCommits(turn, repository, from));
    expect(await bring(third)).toMatchObject({ state: "changed", commit: first });
    expect(await readFile(join(place().path, "c"), "utf8")).toBe("untracked on the host");
    await git(place().path, "add", "c");
    await git(place().path, "commit", "-qm", "on the host");
    expect(await bring(third)).toMatchObject({ state: "diverged" });
  });

  it("brings uncommitted files along when asked, and never what somebody has changed on the host as well", async () => {
    await mirror.turn(fill);
    const commit = await commitFile(workspace, "a", "a\n");
    const bring = (at: string) =>
      mirror.turn(async (turn) => {
        await takeCommits(turn, repository, from);
        const order = { sandbox: repository.folder, memory: join(folder, "memory/one") };
        return bringWorktreeFiles(turn, place(), at, { ...order, signal: new AbortController().signal, now: Date.now });
      });
    const onHost = (name: string) => readFile(join(place().path, name), "utf8");
    await writeFile(join(workspace, "readme.md"), "not committed\n");
    await writeFile(join(workspace, "-untracked"), "u\n");
    expect(await bring(commit)).toMatchObject({ worktree: { state: "current", commit }, files: { conflicts: [] } });
    expect([await onHost("readme.md"), await onHost("-untracked"), await onHost("a")]).toEqual([
      "not committed\n",
      "u\n",
      "a\n",
    ]);

    const next = await commitFile(workspace, "a", "committed\n");
    await writeFile(join(workspace, "-untracked"), "changed in the sandbox\n");
    await writeFile(join(place().path, "-untracked"), "changed on the host\n");
    await rm(join(workspace, "readme.md"));
    const result = await bring(next);
    expect(result).toMatchObject({
      worktree: { state: "current", commit: next },
      files: { conflicts: ["-untracked"] },
    });
    expect([await onHost("a"), await onHost("-untracked")]).toEqual(["committed\n", "changed on the host\n"]);
    await expect(onHost("readme.md")).rejects.toThrow("ENOENT");
    expect(await mirror.turn((turn) => isSpent(turn, place(), next))).toBe(false);
  });

  it("runs nothing that a sandbox has put into its repository, and shows its links as text", async () => {
    await mirror.turn(fill);
    const marks = join(folder, "executed");
    await mkdir(marks);
    const program = join(workspace, ".git/program");
    await writeFile(program, `#!/bin/sh\ntouch "${marks}/$(basename "$0")"\ncat\n`);
    await chmod(program, 0o755);
    await symlink("/etc", join(workspace, "link"));
    await writeFile(join(workspace, ".gitattributes"), "* filter=evil\n");
    await writeFile(join(workspace, "-rf"), "an option\n");
    const commit = await commitFile(workspace, "x", "x");
    await mirror.turn(async (turn) => {
      await takeCommits(turn, repository, from);
      // What the controller's own repository would run if it believed in what is in the work tree.
      await mkdir(join(turn.folder, "hooks"));
      for (const hook of ["post-checkout", "post-merge", "reference-transaction"]) {
        const path = join(turn.folder, "hooks", hook);
        await writeFile(path, `#!/bin/sh\ntouch '${marks}/${hook}'\n`, { mode: 0o755 });
      }
      await bringWorktree(turn, place(), commit);
      // A sandbox's file in the place of the worktree's own pointer.
      await rm(join(place().path, ".git"));
      await symlink(join(workspace, ".git"), join(place().path, ".git"));
      const next = await commitFile(workspace, "y", "y");
      await takeCommits(turn, repository, from);
      await git(workspace, "config", "filter.evil.smudge", program);
      await git(workspace, "config", "core.fsmonitor", program);
      expect(await bringWorktree(turn, place(), next)).toMatchObject({ state: "current", commit: next });
    });
    expect((await run("ls", [marks])).stdout).toBe("");
    const link = await lstat(join(place().path, "link"));
    expect({ isLink: link.isSymbolicLink(), text: await readFile(join(place().path, "link"), "utf8") }).toEqual({
      isLink: false,
      text: "/etc",
    });
  });

  it("takes nothing but the sandbox's branch, and no objects that are not sound", async () => {
    await mirror.turn(fill);
    await commitFile(workspace, "a", "a");
    await git(workspace, "update-ref", "refs/heads/main", "HEAD");
    await git(workspace, "tag", "v1");
    await mirror.turn((turn) => takeCommits(turn, repository, from));
    const refs = await git(mirror.folder, "for-each-ref", "--format=%(refname)");
    expect(refs.trim().split("\n")).toEqual(["refs/remotes/origin/main", sandboxRef(id)]);

    // A tree with an entry that would be written beside, or into, the repository.
    const blob = (await git(workspace, "hash-object", "-w", "a")).trim();
    const entry = Buffer.concat([Buffer.from("100644 .git\0"), Buffer.from(blob, "hex")]);
    await writeFile(join(folder, "tree"), entry);
    const made = await git(workspace, "hash-object", "-w", "-t", "tree", "--literally", join(folder, "tree"));
    const commit = (await git(workspace, "commit-tree", made.trim(), "-m", "bad", "-p", "HEAD")).trim();
    await git(workspace, "update-ref", `refs/heads/${branch}`, commit);
    const before = await mirror.turn((turn) => turn.resolve(sandboxRef(id)));
    await expect(mirror.turn((turn) => takeCommits(turn, repository, from))).rejects.toThrow(/hasDotgit|fsck|corrupt/);
    expect(await mirror.turn((turn) => turn.resolve(sandboxRef(id)))).toBe(before);
  });

  it("goes on where a killed git has left its locks", async () => {
    await mirror.turn(fill);
    for (const lock of ["packed-refs.lock", "refs/remotes/origin/main.lock", "config.lock", "HEAD.lock"])
      await writeFile(join(mirror.folder, lock), "");
    await commitFile(join(folder, "source"), "more", "more");
    await git(join(folder, "source"), "push", "-q", origin, "HEAD:refs/heads/main");
    const reopened = new Mirror({ folder: mirror.folder, git: new Git({ folder: join(folder, "git") }) });
    await reopened.turn((turn) => turn.fetch(remote));
    expect(await git(mirror.folder, "log", "-1", "--format=%s", "refs/remotes/origin/main")).toBe("write more\n");
  });

  it("takes nothing from and gives nothing to who shows another host key, and says so", async () => {
    await mirror.turn(fill);
    await commitFile(workspace, "a", "a");
    await git(join(folder, "source"), "push", "-q", origin, "HEAD:refs/heads/later");
    const pinned = join(folder, "ssh", `${id}.known_hosts`);
    await writeFile(pinned, `${id} ${sshKeyPair(randomBytes(32), "another").publicKey}\n`);
    const before = await git(workspace, "for-each-ref");
    const explained = {
      code: "sandbox_not_ready",
      message: 'The sandbox "one" shows another SSH host key than was pinned.',
    };
    const told = (error: unknown) => Promise.reject(sandboxError(error, "one"));
    await mirror.turn(async (turn) => {
      await turn.fetch(remote);
      await expect(takeCommits(turn, repository, from).catch(told)).rejects.toMatchObject(explained);
      await expect(giveCommits(turn, repository).catch(told)).rejects.toMatchObject(explained);
      expect(await turn.resolve(sandboxRef(id))).toBeUndefined();
    });
    await expect(askUnsaved(repository).catch(told)).rejects.toMatchObject(explained);
    expect(await git(workspace, "for-each-ref")).toBe(before);
    expect(sandboxError(new HostKeyMismatch("10.0.0.1", "SHA256:other"), "one")).toMatchObject(explained);
  });

  it("ends a transfer when it is told to", async () => {
    await mirror.turn(fill);
    const told = new AbortController();
    const transfer = mirror.turn((turn) => takeCommits(turn, repository, from, { signal: told.signal }));
    told.abort(new Error("not wanted any more"));
    await expect(transfer).rejects.toThrow("not wanted any more");
  });
});
