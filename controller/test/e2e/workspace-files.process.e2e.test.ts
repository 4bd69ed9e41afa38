import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  fileEvents,
  getSandbox,
  gitCommit,
  gitDiff,
  gitDiscard,
  gitLog,
  gitStage,
  gitStatus,
  listFiles,
  type Sandbox,
  statFiles,
  stopSandbox,
  terminalInput,
} from "@berth/protocol";
import { eventually } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";
import { sha256, WorkspaceClient } from "./workspace-client.ts";

describe("the workspace of a sandbox", () => {
  let berth: Berth;
  let sandbox: Sandbox;
  let workspace: string;
  let files: WorkspaceClient;
  const inSandbox = () => ({ params: { id: sandbox.id } });

  beforeAll(async () => {
    berth = await startBerth();
    sandbox = await berth.readySandbox({ name: "files" });
    workspace = join(await berth.rootOf(sandbox), "workspace");
    files = new WorkspaceClient(berth, sandbox.id);
    await mkdir(workspace, { recursive: true });
  });
  afterAll(() => berth?.dispose());

  it("has files that are written, read whole and in part, listed and removed", async () => {
    const large = randomBytes(20 * 1024 * 1024);
    const written = await files.put("deep/er/large.bin", large);
    expect(written).toMatchObject({
      status: 200,
      json: { path: "deep/er/large.bin", size: large.length, created: true },
    });
    const whole = await files.get("files/content", { path: "deep/er/large.bin" });
    expect(sha256(whole.bytes)).toBe(sha256(large));
    expect(whole.headers.get("etag")).toBe(written.headers.get("etag"));
    expect(whole.headers.get("content-disposition")).toMatch(/^attachment/);
    const part = await files.get("files/content", { path: "deep/er/large.bin" }, { range: "bytes=100-199" });
    expect(part.status).toBe(206);
    expect(part.headers.get("content-range")).toBe(`bytes 100-199/${large.length}`);
    expect(part.bytes.equals(large.subarray(100, 200))).toBe(true);
    const behind = await files.get("files/content", { path: "deep/er/large.bin" }, { range: "bytes=99999999-" });
    expect(behind).toMatchObject({ status: 416, json: { code: "range_not_satisfiable" } });
    const known = { "if-none-match": String(whole.headers.get("etag")) };
    expect((await files.get("files/content", { path: "deep/er/large.bin" }, known)).status).toBe(304);
    const listed = await berth.client.call(listFiles, { ...inSandbox(), query: { path: "deep/er" } });
    expect(listed.items).toMatchObject([
      { name: "large.bin", path: "deep/er/large.bin", type: "file", size: large.length },
    ]);
    expect((await files.call("DELETE", "files/content", { path: "deep" })).status).toBe(409);
    expect((await files.call("DELETE", "files/content", { path: "deep", recursive: "true" })).status).toBe(204);
    expect(existsSync(join(workspace, "deep"))).toBe(false);
  });

  it("keeps what somebody else has written since it was read", async () => {
    const first = await files.put("shared.txt", "one");
    const version = { "if-match": String(first.headers.get("etag")) };
    await writeFile(join(workspace, "shared.txt"), "theirs");
    expect(await files.put("shared.txt", "mine", version)).toMatchObject({ status: 409, json: { code: "conflict" } });
    expect(await files.put("shared.txt", "mine", { "if-none-match": "*" })).toMatchObject({ status: 409 });
    expect(await readFile(join(workspace, "shared.txt"), "utf8")).toBe("theirs");
    const read = await files.get("files/content", { path: "shared.txt" });
    expect(read.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect((await files.put("shared.txt", "both", { "if-match": String(read.headers.get("etag")) })).status).toBe(200);
  });

  it("has names that are no text, and pages", async () => {
    const name = Buffer.from([0x66, 0xff, 0x0a]);
    await writeFile(Buffer.concat([Buffer.from(`${workspace}/`), name]), "odd");
    const { items } = await berth.client.call(listFiles, inSandbox());
    const odd = items.find(({ pathBytes }) => pathBytes === name.toString("base64url"));
    expect(odd).toMatchObject({ name: "f\ufffd\n", size: 3 });
    expect((await files.get("files/content", { pathBytes: String(odd?.pathBytes) })).bytes.toString()).toBe("odd");
    const seen: string[] = [];
    for (let cursor: string | undefined, turns = 0; turns < 20; turns += 1) {
      const query = { limit: 1, ...(cursor === undefined ? {} : { cursor }) };
      const page = await berth.client.call(listFiles, { ...inSandbox(), query });
      seen.push(...page.items.map(({ path }) => path));
      if (page.nextCursor === null) break;
      cursor = page.nextCursor;
    }
    expect(seen).toEqual(items.map(({ path }) => path));
    const found = await berth.client.call(statFiles, {
      ...inSandbox(),
      body: { paths: ["shared.txt", "none"], pathsBytes: [name.toString("base64url")] },
    });
    expect(found.items).toMatchObject([{ type: "file", size: 4 }, null, { type: "file", size: 3 }]);
  });

  it("is left by no path", async () => {
    const outside = join(workspace, "..", "outside");
    await mkdir(outside, { recursive: true });
    await writeFile(join(outside, "secret"), "secret");
    await symlink(outside, join(workspace, "out"));
    const paths = [
      "../outside/secret",
      "/etc/passwd",
      "a/../../outside/secret",
      "out/secret",
      "./out/secret",
      "out/../x",
    ];
    for (const path of [...paths, "..%2foutside%2fsecret", "%2e%2e/outside/secret", "..\\outside\\secret"]) {
      const read = await files.get("files/content", { path });
      expect([400, 404, 409], path).toContain(read.status);
      expect(read.bytes.toString()).not.toMatch(/root:|^secret$/);
      const put = await files.put(path.replace("secret", "new"), "x");
      // What is no escape is a name: it is written below the workspace.
      if (put.status === 200) expect(path).toMatch(/%|\\/);
    }
    const raw = await files.call("GET", "files/content?path=..%2f..%2f..%2fetc%2fpasswd");
    expect(raw.status).toBe(400);
    expect(await readdir(outside)).toEqual(["secret"]);
  });

  it("takes folders as a tar, and gives them as a tar or zip", async () => {
    await mkdir(join(workspace, "tree/sub"), { recursive: true });
    await writeFile(join(workspace, "tree/sub/f"), "f");
    const tar = await files.get("files/archive", { path: "tree" });
    expect(tar.headers.get("content-disposition")).toBe('attachment; filename="tree.tar"');
    expect(execFileSync("tar", ["-tf", "-"], { input: tar.bytes, encoding: "utf8" })).toBe(
      "tree/\ntree/sub/\ntree/sub/f\n",
    );
    const up = await files.call("POST", "files/archive", { path: "copy" }, { body: tar.bytes });
    expect(up).toMatchObject({ status: 201, json: { files: 1, folders: 2 } });
    expect(await readFile(join(workspace, "copy/tree/sub/f"), "utf8")).toBe("f");
    expect(await files.call("POST", "files/archive", { path: "copy" }, { body: tar.bytes })).toMatchObject({
      status: 409,
    });
    const zip = await files.get("files/archive", { path: "tree", format: "zip" });
    expect(zip.bytes.subarray(0, 4).toString("latin1")).toBe("PK\x03\x04");
  });

  it("tells what changes, as it changes", async () => {
    const gone = new AbortController();
    const headers = { authorization: `Bearer ${berth.token}` };
    const response = await fetch(files.address("files/events"), { headers, signal: gone.signal });
    expect(fileEvents.stream).toBe("sse");
    let text = "";
    const reading = (async () => {
      for await (const chunk of response.body ?? []) text += Buffer.from(chunk).toString();
    })().catch(() => {});
    await eventually(async () => text.includes("event: watching"), { timeoutMs: 10_000, what: "the watch" });
    await writeFile(join(workspace, "tree/sub/later"), "");
    await eventually(async () => text.includes('"path":"tree/sub/later"'), { timeoutMs: 10_000, what: "the change" });
    gone.abort();
    await reading;
  });

  it("has a repository that is reviewed and committed to", async () => {
    const repo = join(workspace, "repo");
    await mkdir(repo);
    const git = (...argv: string[]) =>
      execFileSync("git", ["-c", "user.name=T", "-c", "user.email=t@e.org", ...argv], { cwd: repo });
    git("init", "-q", "-b", "main");
    await writeFile(join(repo, "a b"), "one\ntwo\n");
    git("add", "-A");
    git("commit", "-qm", "first");
    await writeFile(join(repo, "a b"), "one\n2\n");
    await writeFile(join(repo, "new"), "new\n");
    const query = { path: "repo" };
    const status = await berth.client.call(gitStatus, { ...inSandbox(), query });
    expect(status).toMatchObject({
      root: "repo",
      branch: { name: "main", upstream: null },
      files: [
        { path: "repo/a b", state: "changed", staged: null, unstaged: "modified" },
        { path: "repo/new", state: "untracked" },
      ],
      truncated: false,
    });
    const { files: changed } = await berth.client.call(gitDiff, { ...inSandbox(), query });
    expect(changed).toMatchObject([
      { path: "repo/a b", additions: 1, deletions: 1, hunks: [{ lines: [" one", "-two", "+2"] }] },
    ]);
    const patch = await files.get("git/patch", query);
    expect(patch.headers.get("content-type")).toMatch(/^text\/x-diff/);
    expect(patch.bytes.toString()).toBe(
      git("diff", "--full-index")
        .toString()
        .replace(/index .*/, /index .*/.exec(patch.bytes.toString())?.[0] ?? ""),
    );
    await berth.client.call(gitStage, { ...inSandbox(), body: { paths: ["repo/a b"] } });
    const author = { name: "Ada", email: "ada@example.org" };
    const made = await berth.client.call(gitCommit, { ...inSandbox(), body: { ...query, message: "second", author } });
    const log = await berth.client.call(gitLog, { ...inSandbox(), query: { ...query, limit: 1 } });
    expect(log.items).toMatchObject([{ commit: made.commit, subject: "second", author: { name: "Ada" } }]);
    const next = await berth.client.call(gitLog, {
      ...inSandbox(),
      query: { ...query, limit: 1, cursor: String(log.nextCursor) },
    });
    expect(next).toMatchObject({ items: [{ subject: "first" }], nextCursor: null });
    const discarded = await berth.client.call(gitDiscard, { ...inSandbox(), body: { paths: ["repo/new"] } });
    expect(await readFile(join(workspace, String(discarded.kept), "repo/new"), "utf8")).toBe("new\n");
    expect((await berth.client.call(gitStatus, { ...inSandbox(), query })).files).toEqual([]);
    const none = await files.get("git/status", { path: "tree" });
    expect(none).toMatchObject({ status: 404, json: { code: "not_found" } });
  });

  it("lets keys pass while many files go both ways", async () => {
    const shell = await berth.openTerminal(sandbox.id, { kind: "shell" });
    const bytes = randomBytes(8 * 1024 * 1024);
    const type = async (text: string) => {
      const start = performance.now();
      await berth.client.call(terminalInput, { params: { id: shell.id }, body: { text } });
      return performance.now() - start;
    };
    await type("#");
    let busy = true;
    const transfers = Promise.all([0, 1, 2, 3].map((index) => files.put(`bulk/${index}`, bytes))).then(() =>
      Promise.all([0, 1, 2, 3].map((index) => files.get("files/content", { path: `bulk/${index}` }))),
    );
    void transfers.finally(() => {
      busy = false;
    });
    const took: number[] = [];
    while (busy) took.push(await type("x"));
    for (const { bytes: read } of await transfers) expect(sha256(read)).toBe(sha256(bytes));
    took.sort((a, b) => a - b);
    expect(took[Math.floor(took.length / 2)]).toBeLessThan(1000);
  });

  it("says so when the sandbox does not run", async () => {
    await berth.client.call(stopSandbox, inSandbox());
    const stopped = async () => (await berth.client.call(getSandbox, inSandbox())).state === "stopped";
    await eventually(stopped, { timeoutMs: 60_000, what: "the stop" });
    expect(await files.get("files")).toMatchObject({ status: 409, json: { code: "sandbox_not_ready" } });
  });
});
