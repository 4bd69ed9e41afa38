import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  cancelOperation,
  deleteContinuousSync,
  getOperation,
  getSync,
  listSyncBackups,
  listSyncChanges,
  putContinuousSync,
  type RouteInput,
  resolveSync,
  restoreSyncBackup,
  type Sandbox,
  startSync,
} from "@berth/protocol";
import { eventually, temporaryDirectory } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";
import { SshUser } from "./real-sandbox.ts";

const run = promisify(execFile);

describe("a workspace that was made from a folder of the host", () => {
  let berth: Berth;
  let ssh: SshUser;
  let sandbox: Sandbox;
  let roots: string;
  let folder: string;
  let workspace: string;
  const disposals: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    const place = await temporaryDirectory("berth-e2e-roots-");
    disposals.push(() => place.dispose());
    roots = place.path;
    folder = join(roots, "project");
    await mkdir(join(folder, ".git"), { recursive: true });
    await mkdir(join(folder, "node_modules"));
    await writeFile(join(folder, ".git/HEAD"), "ref: refs/heads/main\n");
    await writeFile(join(folder, "node_modules/big"), "x");
    await writeFile(join(folder, "-rf *\n'$(reboot)"), "an odd name");
    await writeFile(join(folder, "both"), "at first");
    await writeFile(join(folder, "kept"), "by a backup");
    berth = await startBerth({ env: { BERTH_WORKSPACE_ROOTS: roots } });
    disposals.push(() => berth.dispose());
    ssh = await SshUser.register(berth);
    disposals.push(() => ssh.dispose());
    sandbox = await berth.readySandbox({ name: "synced", workspace: { type: "folder", path: folder } });
    workspace = join(await berth.rootOf(sandbox), "workspace");
  });
  afterAll(async () => {
    for (const dispose of disposals.reverse()) await dispose();
  });

  /** Runs a command line in the workspace, as the sandbox's own programs would. */
  async function inside(command: string): Promise<void> {
    if (berth.backend === "lxc") await ssh.run(sandbox, `cd /workspace && ${command}`);
    else await run("sh", ["-c", command], { cwd: workspace });
  }
  const client = () => berth.client;
  const params = () => ({ id: sandbox.id });
  const begin = async (body: RouteInput<typeof startSync>["body"]) =>
    (await client().call(startSync, { params: params(), body })).operation;
  const synced = async (body: RouteInput<typeof startSync>["body"]) => berth.ended((await begin(body)).id);
  const changes = async () => (await client().call(listSyncChanges, { params: params() })).items;
  const text = (path: string) => readFile(path, "utf8");

  it("has what the folder has, but for what can be made again, as the sandbox's own user's", async () => {
    expect((await readdir(workspace)).filter((name) => name !== ".berth").sort()).toEqual(
      [".git", "-rf *\n'$(reboot)", "both", "kept"].sort(),
    );
    const ours = await stat(join(workspace, "both"));
    const theirs = await stat(workspace);
    expect([ours.uid, ours.gid]).toEqual([theirs.uid, theirs.gid]);
    expect((await client().call(getSync, { params: params() })).folder).toBe(folder);
  });

  it("is not made from a folder that nobody has allowed", async () => {
    const create = (path: string) => berth.create({ workspace: { type: "folder", path } });
    for (const path of ["/etc", `${roots}/../etc`, roots.slice(0, -1), berth.dataDir]) {
      await expect(create(path)).rejects.toMatchObject({ code: "forbidden" });
    }
    await expect(create(join(roots, "missing"))).rejects.toMatchObject({ code: "not_found" });
  });

  it("says what a push would do, and does it", async () => {
    await writeFile(join(folder, "both"), "changed on the host");
    await synced({ direction: "push", dryRun: true });
    expect(await changes()).toMatchObject([{ path: "both", action: "update" }]);
    expect(await text(join(workspace, "both"))).toBe("at first");
    const operation = await synced({ direction: "push" });
    expect(operation.steps.map(({ name, state }) => [name, state])).toEqual([
      ["compare", "succeeded"],
      ["transfer", "succeeded"],
    ]);
    expect(await text(join(workspace, "both"))).toBe("changed on the host");
  });

  it("shows what was changed on both sides, keeps both, and takes the one that is chosen", async () => {
    await inside("echo there > both");
    await writeFile(join(folder, "both"), "here, and longer");
    await synced({ direction: "push" });
    expect(await changes()).toMatchObject([{ path: "both", action: "conflict" }]);
    expect((await client().call(getSync, { params: params() })).conflicts).toBe(1);
    expect(await text(join(workspace, "both"))).toBe("there\n");
    const body = { take: "sandbox" as const, paths: [{ path: "both" }] };
    await berth.ended((await client().call(resolveSync, { params: params(), body })).operation.id);
    expect(await text(join(folder, "both"))).toBe("there\n");
    const { items } = await client().call(listSyncBackups, { params: params() });
    const [newest] = items.filter(({ side }) => side === "host");
    expect(newest).toMatchObject({ files: 1, bytes: "here, and longer".length });
    await client().call(restoreSyncBackup, {
      params: { ...params(), backup: newest?.id ?? "" },
      body: { side: "host", path: "both" },
    });
    expect(await text(join(folder, "both"))).toBe("here, and longer");
  });

  it("deletes only when it is asked to, and brings nothing out that would lead out of the folder", async () => {
    await synced({ direction: "push" });
    await inside("rm kept; ln -s /etc out; mkdir -p .git/hooks; echo x > .git/hooks/post-checkout; echo new > new");
    await synced({ direction: "pull" });
    expect(await text(join(folder, "kept"))).toBe("by a backup");
    await synced({ direction: "pull", delete: true });
    expect((await readdir(folder)).sort()).toEqual([".git", "-rf *\n'$(reboot)", "both", "new", "node_modules"].sort());
    expect(await readdir(join(folder, ".git"))).toEqual(["HEAD"]);
  });

  it("follows the folder, and then the folder follows it, within two seconds", async () => {
    const follow = (direction: "push" | "pull") =>
      client().call(putContinuousSync, { params: params(), body: { direction } });
    const watching = () =>
      eventually(async () => {
        const { continuous } = await client().call(getSync, { params: params() });
        return continuous?.state === "watching" && continuous.lastSyncedAt !== null;
      });
    await follow("push");
    await watching();
    await mkdir(join(folder, "deep/er"), { recursive: true });
    await writeFile(join(folder, "deep/er/followed"), "1");
    await eventually(async () => (await text(join(workspace, "deep/er/followed"))) === "1");
    await follow("pull");
    await watching();
    await inside("echo 2 > deep/er/followed");
    await eventually(async () => (await text(join(folder, "deep/er/followed"))) === "2\n");
    await client().call(deleteContinuousSync, { params: params() });
  });

  it("is synced by one at a time, and not any more when that is cancelled", async () => {
    await writeFile(join(folder, "large"), randomBytes(4 * 1024 * 1024));
    const operation = await begin({ direction: "push", bwlimitKiB: 256 });
    await expect(begin({ direction: "push" })).rejects.toMatchObject({ code: "conflict" });
    await client().call(cancelOperation, { params: { id: operation.id } });
    const ended = await eventually(async () => {
      const seen = await client().call(getOperation, { params: { id: operation.id } });
      return seen.finishedAt !== null && seen;
    });
    expect(ended.state).toBe("cancelled");
    expect(await readdir(workspace)).not.toContain("large");
  });

  it("goes on with a sync, and with following, after the controller was killed in the middle", async () => {
    await client().call(putContinuousSync, { params: params(), body: { direction: "push" } });
    await client().call(deleteContinuousSync, { params: params() });
    const operation = await begin({ direction: "push", bwlimitKiB: 1024 });
    await eventually(async () => {
      const { steps } = await client().call(getOperation, { params: { id: operation.id } });
      return steps.some(({ name, state }) => name === "transfer" && state === "running");
    });
    await berth.crash();
    await berth.start();
    await berth.ended(operation.id);
    expect(await readFile(join(workspace, "large"))).toEqual(await readFile(join(folder, "large")));
  });
});
