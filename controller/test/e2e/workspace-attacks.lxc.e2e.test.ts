import { getTerminal, gitStatus, listFiles, type Sandbox } from "@berth/protocol";
import { eventually } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";
import { WorkspaceClient } from "./workspace-client.ts";

describe("a workspace whose programs are hostile", () => {
  let berth: Berth;
  let sandbox: Sandbox;
  let files: WorkspaceClient;

  beforeAll(async () => {
    berth = await startBerth();
    sandbox = await berth.readySandbox({ name: "hostile" });
    files = new WorkspaceClient(berth, sandbox.id);
  });
  afterAll(() => berth?.dispose());

  /** Runs a command line in the sandbox to its end. */
  const run = async (script: string) => {
    const { id } = await berth.openTerminal(sandbox.id, { kind: "exec", argv: ["/bin/sh", "-ec", script] });
    const ended = async () => {
      const { state, exit } = await berth.client.call(getTerminal, { params: { id } });
      return state === "exited" && exit;
    };
    const exit = await eventually(ended, { timeoutMs: 30_000, what: "the end of the script" });
    expect(exit, script).toMatchObject({ code: 0 });
  };

  it("is left by no link, and no name of it is taken for anything else", async () => {
    await run(
      "cd /workspace; ln -s /etc etc; ln -s /etc/passwd passwd; ln -s / root; mkfifo pipe; mkdir -- -rf; " +
        "printf x > \"$(printf 'a\\nb')\"; printf y > '$(reboot)'; ln -s /proc/self/root proc",
    );
    for (const path of [
      "etc/passwd",
      "passwd",
      "root/etc/passwd",
      "proc/etc/passwd",
      "pipe",
      "../etc/passwd",
      "/etc/passwd",
    ]) {
      const read = await files.get("files/content", { path });
      expect([400, 409], path).toContain(read.status);
      expect(read.bytes.toString()).not.toContain("root:");
      expect([400, 409], path).toContain((await files.put(path, "evil")).status);
      if (path.includes("/"))
        expect([400, 409], path).toContain((await files.call("DELETE", "files/content", { path })).status);
    }
    const listed = await berth.client.call(listFiles, { params: { id: sandbox.id } });
    const types = new Map(listed.items.map(({ name, type }) => [name, type]));
    expect(types.get("etc")).toBe("link");
    expect(types.get("-rf")).toBe("folder");
    expect((await files.get("files/content", { path: "$(reboot)" })).bytes.toString()).toBe("y");
    expect((await files.get("files/content", { path: "a\nb" })).bytes.toString()).toBe("x");
    const tar = await files.get("files/archive");
    expect(tar.bytes.includes("root:x:0")).toBe(false);
    expect((await files.call("DELETE", "files/content", { path: "-rf", recursive: "true" })).status).toBe(204);
  });

  it("is left by no folder that is a link now and then", async () => {
    const { id } = await berth.openTerminal(sandbox.id, {
      kind: "exec",
      argv: [
        "/bin/sh",
        "-c",
        "cd /workspace; mkdir a; echo mine > a/passwd; while :; do mv a b; ln -s /etc a; rm a; mv b a; done",
      ],
    });
    let mine = 0;
    for (let turn = 0; turn < 100; turn += 1) {
      const read = await files.get("files/content", { path: "a/passwd" });
      expect(read.bytes.toString()).not.toContain("root:");
      if (read.status === 200) mine += 1;
    }
    expect(mine).toBeGreaterThan(0);
    expect((await berth.client.call(getTerminal, { params: { id } })).state).toBe("running");
  });

  it("has a repository that starts nothing when it is looked at", async () => {
    await run(
      "mkdir /workspace/repo; cd /workspace/repo; git init -q; echo a > a; " +
        "git config core.fsmonitor 'touch /workspace/evil; false'; git config core.hooksPath /workspace/hooks",
    );
    const status = await berth.client.call(gitStatus, { params: { id: sandbox.id }, query: { path: "repo" } });
    expect(status.files).toMatchObject([{ path: "repo/a", state: "untracked" }]);
    expect((await files.get("files/content", { path: "evil" })).status).toBe(404);
  });
});
