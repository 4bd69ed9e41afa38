import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { branchNameSchema } from "@berth/protocol";
import { temporaryDirectory } from "@berth/testkit";
import { Value } from "typebox/value";
import { afterEach, describe, expect, it } from "vitest";
import { remoteFailure } from "../src/projects/failures.ts";
import { GitFailed } from "../src/projects/git.ts";
import { readProgress } from "../src/projects/git-progress.ts";
import { RemoteAccesses } from "../src/projects/remote-access.ts";
import { allowedPath, readRemote } from "../src/projects/remote-url.ts";
import { readUnsaved, tellUnsaved } from "../src/projects/unsaved.ts";

describe("a git remote's address", () => {
  it.each([
    [
      "https://example.org/a/b.git",
      { kind: "https", url: "https://example.org/a/b.git", origin: "https://example.org" },
    ],
    ["https://example.org:8443/b", { kind: "https", origin: "https://example.org:8443" }],
    ["ssh://git@example.org:2222/a/b.git", { kind: "ssh", url: "ssh://git@example.org:2222/a/b.git" }],
    ["git@example.org:a/b.git", { kind: "ssh", url: "git@example.org:a/b.git" }],
    ["/srv/git/a.git/", { kind: "file", url: "/srv/git/a.git" }],
    ["/srv/git/x/../a.git", { kind: "file", url: "/srv/git/a.git" }],
    ["file:///srv/git/a%20b.git", { kind: "file", url: "/srv/git/a b.git" }],
  ])("may be %s", (text, expected) => {
    expect(readRemote(text)).toMatchObject(expected);
  });

  it.each([
    "ext::sh -c touch% /tmp/x",
    "ext::sh",
    "fd::17",
    "--upload-pack=touch",
    "-oProxyCommand=x",
    "ssh://-oProxyCommand=x/y",
    "ssh://-oProxyCommand@host/y",
    "-oProxyCommand=x@host:path",
    "git@-host:path",
    "git@host:-path",
    "git@host::path",
    "git@host:~other/path",
    "git://example.org/a",
    "http://example.org/a",
    "https://user@example.org/a",
    "https://user:token@example.org/a",
    "https://example.org/",
    "https://example.org/a?token=x",
    "ssh://git:secret@example.org/a",
    "ssh://git@example.org/-a",
    "file://otherhost/etc",
    "relative/path",
    "C:\\repo",
    "https://exa\nmple.org/a",
    "a b@host:path",
    "/",
  ])("may not be %s", (text) => {
    expect(() => readRemote(text)).toThrow(/git remote/);
  });
});

describe("a branch's name", () => {
  it.each(["main", "feature/a.b-c_d", "berth/one", "v1.0", "x@y", "a#1"])("may be %s", (name) => {
    expect(Value.Check(branchNameSchema, name)).toBe(true);
  });
  it.each([
    "-f",
    "--force",
    "a..b",
    "a//b",
    "/a",
    "a/",
    "a.",
    "a.lock",
    "a.lock/b",
    ".a",
    "a/.b",
    "@{-1}",
    "a@{1}",
    "a b",
    "a:b",
    "+a",
    "a*",
    "a~1",
    "a^",
    "a\\b",
    "a\nb",
    "",
  ])("may not be %j", (name) => {
    expect(Value.Check(branchNameSchema, name)).toBe(false);
  });
});

describe("a repository on this machine", () => {
  const folder = temporaryDirectory("berth-roots-");
  afterEach(async () => (await folder).dispose());

  it("is below an allowed folder, with all links followed", async () => {
    const { path } = await folder;
    for (const name of ["allowed/repo", "allowed/data/projects", "allowed-not/repo", "other"])
      await mkdir(join(path, name), { recursive: true });
    await symlink(join(path, "other"), join(path, "allowed/link"));
    const dataDir = join(path, "allowed/data");
    const roots = { roots: [join(path, "allowed")], dataDir };
    expect(await allowedPath(join(path, "allowed/repo"), roots)).toBe(join(path, "allowed/repo"));
    for (const name of [
      "allowed-not/repo",
      "allowed/link",
      "allowed/../other",
      "allowed/none",
      "other",
      "allowed/data/projects",
      "allowed",
    ]) {
      await expect(allowedPath(join(path, name), roots)).rejects.toMatchObject({ code: "forbidden" });
    }
    await expect(allowedPath(join(path, "allowed/repo"), { roots: [], dataDir })).rejects.toMatchObject({
      code: "forbidden",
    });
  });
});

describe("a credential", () => {
  it("answers the questions of its own host, is in no argument, and goes to nobody else", async () => {
    const folder = await temporaryDirectory("berth-credential-");
    try {
      const accesses = new RemoteAccesses({
        folder: folder.path,
        roots: { roots: [], dataDir: folder.path },
        sshKey: undefined,
        sshAgentSocket: undefined,
      });
      const remote = readRemote("https://git.example.org:8443/a");
      const { env, url } = await accesses.open(remote, { username: "a@b", secret: "to'ken $(x)" });
      const { runProcess } = await import("../src/projects/bounded-process.ts");
      const ask = async (question: string) => {
        const order = { command: env.GIT_ASKPASS ?? "", args: [question], maxOutputBytes: 1000, timeoutMs: 10_000 };
        const { exitCode, output } = await runProcess({ ...order, env: { PATH: "/usr/bin:/bin", ...env } });
        return exitCode === 0 ? output.toString() : undefined;
      };
      expect(await ask("Username for 'https://git.example.org:8443': ")).toBe("a@b\n");
      expect(await ask("Password for 'https://a%40b@git.example.org:8443': ")).toBe("to'ken $(x)\n");
      expect(await ask("Password for 'https://a%40b@evil.example.org': ")).toBeUndefined();
      expect(await ask("Username for 'https://evil.example.org': ")).toBeUndefined();
      expect(url).not.toContain("ken");
    } finally {
      await folder.dispose();
    }
  });
});

describe("what git says", () => {
  it("is read as progress", () => {
    expect(readProgress("Receiving objects:  50% (5/10), 1.2 MiB | 3.00 MiB/s")?.fraction).toBeCloseTo(0.425);
    expect(readProgress("remote: Counting objects: 12, done.")).toEqual({ fraction: null, detail: "Counting objects" });
    expect(readProgress("fatal: not a git repository")).toBeUndefined();
  });

  it("is explained with what to do, and tried again where that may help", () => {
    const of = (words: string) => remoteFailure(new GitFailed("fetch", words, ""));
    expect(of("fatal: Authentication failed for 'https://x/'")).toMatchObject({ transient: false });
    expect(of("fatal: Authentication failed for 'https://x/'")?.failure.hint).toMatch(/credential/);
    expect(of("Host key verification failed.\nfatal: Could not read")?.failure.hint).toMatch(/known_hosts/);
    expect(of("fatal: unable to access 'https://x/': Could not resolve host: x")).toMatchObject({ transient: true });
    expect(
      of("fatal: unable to access 'https://x/': Failed to connect to x port 1: Couldn't connect to server"),
    ).toMatchObject({
      transient: true,
    });
    expect(of("fatal: unable to access 'https://x/': server certificate verification failed.")?.failure.hint).toMatch(
      /trust/,
    );
    expect(remoteFailure(new Error("a bug"))).toBeUndefined();
  });
});

describe("a sandbox's word on what it has", () => {
  it("is read, bounded, and told", () => {
    const work = readUnsaved(Buffer.from("repository\n2\n1\n 4\n?? a\u0000 M b\tc\u0000?? d\u0000?? cut of"));
    expect(work).toEqual({ known: true, commits: 2, stashes: 1, files: 4, paths: ["a", "b\uFFFDc", "d"] });
    expect(tellUnsaved(work)).toBe("2 unpushed commits, 4 uncommitted files (a, b\uFFFDc, d, …), 1 stash");
    expect(readUnsaved(Buffer.from("none\n"))).toMatchObject({ known: true, commits: 0 });
  });

  it.each(["", "repository\n-1\n0\n0\n", "repository\n99999999999\n0\n0\n", "nonsense"])(
    "is not believed as %j",
    (text) => {
      expect(() => readUnsaved(Buffer.from(text))).toThrow();
    },
  );
});
