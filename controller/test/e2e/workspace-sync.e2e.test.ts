import { execFile } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { sshKeyPair } from "@berth/base/node";
import {
  cancelOperation,
  deleteContinuousSync,
  getOperation,
  getSync,
  guestPaths,
  listSyncBackups,
  listSyncChanges,
  putContinuousSync,
  type RouteInput,
  resolveSync,
  restoreSyncBackup,
  type Sandbox,
  type SyncContinuous,
  startSandbox,
  startSync,
  stopSandbox,
} from "@berth/protocol";
import { eventually, temporaryDirectory } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";
import { SshUser } from "./real-sandbox.ts";
import { agentProgram, signalBelow, sshConnection, sshListener } from "./signal-below.ts";

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
  const continuous = (fits: (seen: SyncContinuous) => boolean) =>
    eventually(
      async () => {
        const { continuous: seen } = await client().call(getSync, { params: params() });
        return seen && fits(seen) ? seen : undefined;
      },
      { timeoutMs: 90_000, what: "a state of following" },
    );
  const follow = (direction: "push" | "pull") =>
    client().call(putContinuousSync, { params: params(), body: { direction } });

  /** Kills the programs of the sandbox, or those that the controller has started, whose command line is like this. */
  const signalThere = async (pattern: RegExp, signal: NodeJS.Signals = "SIGKILL") =>
    signalBelow(
      (await berth.processesOf(sandbox)).map(({ pid }) => pid),
      pattern,
      signal,
    );
  const killThere = (pattern: RegExp) => signalThere(pattern);
  const killHere = (pattern: RegExp) => signalBelow([berth.process.pid], pattern);
  /** How a sync is under way, once it sends. */
  const sending = (id: string) =>
    eventually(async () => {
      const { steps } = await client().call(getOperation, { params: { id } });
      return steps.find(({ name, detail, progress }) => name === "transfer" && detail !== null && progress !== null);
    });
  const over = (id: string) =>
    eventually(
      async () => {
        const seen = await client().call(getOperation, { params: { id } });
        return seen.finishedAt === null ? undefined : seen;
      },
      { timeoutMs: 30_000, what: "the end of a sync" },
    );

  /** Changes a file until a change has followed within two seconds: other work is on the machine, and slows some. */
  async function followsInTime(direction: "push" | "pull"): Promise<void> {
    await continuous(({ state, lastSyncedAt }) => state === "watching" && lastSyncedAt !== null);
    const other = direction === "push" ? workspace : folder;
    const tookMs: number[] = [];
    while (!tookMs.some((ms) => ms < 2_000)) {
      if (tookMs.length === 4) throw new Error(`changes followed after ${tookMs.join(", ")} ms`);
      const now = randomUUID();
      if (direction === "push") await writeFile(join(folder, "deep/er/followed"), now);
      else await inside(`printf %s ${now} > deep/er/followed`);
      const begun = performance.now();
      const path = join(other, "deep/er/followed");
      await eventually(async () => (await text(path).catch(() => "")) === now, { intervalMs: 20, timeoutMs: 40_000 });
      tookMs.push(Math.round(performance.now() - begun));
    }
  }

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

  it("keeps both versions where that is chosen, and puts back what a backup of the sandbox has", async () => {
    await writeFile(join(folder, "two.txt"), "at first");
    await synced({ direction: "push" });
    await writeFile(join(folder, "two.txt"), "here");
    await inside("echo there > two.txt");
    await synced({ direction: "push" });
    const body = { take: "both" as const, paths: [{ path: "two.txt" }] };
    await berth.ended((await client().call(resolveSync, { params: params(), body })).operation.id);
    expect(await text(join(workspace, "two.txt"))).toBe("here");
    const [kept = ""] = (await readdir(workspace)).filter((name) => /^two\.conflict-.*\.txt$/.test(name));
    expect(await text(join(workspace, kept))).toBe("there\n");
    await writeFile(join(folder, "two.txt"), "here again");
    await synced({ direction: "push" });
    const { items } = await client().call(listSyncBackups, { params: params() });
    const [newest] = items.filter(({ side }) => side === "sandbox");
    const restore = { params: { ...params(), backup: newest?.id ?? "" } };
    await client().call(restoreSyncBackup, { ...restore, body: { side: "sandbox", path: "two.txt" } });
    expect(await text(join(workspace, "two.txt"))).toBe("here");
    const missing = client().call(restoreSyncBackup, { ...restore, body: { side: "sandbox", path: "none" } });
    await expect(missing).rejects.toMatchObject({ code: "not_found" });
    for (const side of ["host", "sandbox"] as const)
      for (const name of pathsOutside) {
        const led = client().call(restoreSyncBackup, { ...restore, body: { side, ...name } });
        await expect(led, JSON.stringify(name)).rejects.toMatchObject({ code: "invalid_request" });
      }
    for (const name of pathsOutside) {
      const led = client().call(resolveSync, { params: params(), body: { take: "host", paths: [name] } });
      await expect(led, JSON.stringify(name)).rejects.toMatchObject({ code: "invalid_request" });
    }
    for (const backup of ["../..", "%2e%2e", "20260101T000000Z-000/../.."]) {
      const led = client().call(restoreSyncBackup, {
        params: { ...params(), backup },
        body: { side: "host", path: "two.txt" },
      });
      await expect(led, backup).rejects.toMatchObject({ code: "invalid_request" });
    }
    await inside("rm two.*");
    await rm(join(folder, "two.txt"));
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
    await follow("push");
    await mkdir(join(folder, "deep/er"), { recursive: true });
    await followsInTime("push");
    await follow("pull");
    await followsInTime("pull");
  });

  it("says that it pauses and why when the sandbox stops, and follows within two seconds once it is back", async () => {
    await berth.ended((await client().call(stopSandbox, { params: params() })).operation.id);
    await continuous(({ state, error }) => state === "paused" && error?.message === 'The sandbox "synced" is stopped.');
    await berth.ended((await client().call(startSandbox, { params: params() })).operation.id);
    workspace = join(await berth.rootOf(sandbox), "workspace");
    await followsInTime("pull");
  });

  it("follows within two seconds after the agent and all connections were cut, and after a restart", async () => {
    await killThere(agentProgram);
    await killThere(sshConnection);
    await followsInTime("pull");
    await berth.crash();
    await berth.start();
    await followsInTime("pull");
    await follow("push");
    await killThere(agentProgram);
    await followsInTime("push");
    await client().call(deleteContinuousSync, { params: params() });
  });

  it("is synced by one at a time, and not any more when that is cancelled", async () => {
    await writeFile(join(folder, "large"), randomBytes(4 * 1024 * 1024));
    const operation = await begin({ direction: "push", bwlimitKiB: 256 });
    await expect(begin({ direction: "push" })).rejects.toMatchObject({ code: "conflict" });
    await client().call(cancelOperation, { params: { id: operation.id } });
    expect((await over(operation.id)).state).toBe("cancelled");
    expect(await readdir(workspace)).not.toContain("large");
  });

  it("goes on with a sync and with following after the controller was killed in the middle", async () => {
    const operation = await begin({ direction: "push", bwlimitKiB: 1024 });
    await sending(operation.id);
    await follow("push");
    // At the very first nobody knows how long it will take.
    const { detail, progress } = await eventually(async () => {
      const step = await sending(operation.id);
      return step.detail?.endsWith(" left") ? step : undefined;
    });
    expect(detail).toMatch(/^[\d.]+ [kM]?B, \d+ files, [\d.]+ [kM]?B\/s, \d+ s left$/);
    expect(progress).toBeGreaterThanOrEqual(0);
    expect(progress).toBeLessThan(1);
    await berth.crash();
    expect(await readdir(workspace), "under its name before it is whole").not.toContain("large");
    await berth.start();
    await berth.ended(operation.id);
    expect(await readFile(join(workspace, "large"))).toEqual(await readFile(join(folder, "large")));
    await followsInTime("push");
    await client().call(deleteContinuousSync, { params: params() });
  });

  describe.each(["push", "pull"] as const)("in the middle of a %s", (direction) => {
    const source = () => join(direction === "push" ? folder : workspace, "large");
    const destination = () => join(direction === "push" ? workspace : folder, "large");
    /** Begins to send a large file that has changed. */
    async function underWay() {
      const [before, now] = [await readFile(destination()), randomBytes(3 * 1024 * 1024)];
      await writeFile(source(), now);
      const operation = await begin({ direction, bwlimitKiB: 1024 });
      await sending(operation.id);
      return { before, now, operation };
    }

    it.each([
      ["rsync in the sandbox", () => killThere(/rsync --server/)],
      ["rsync on the host", () => killHere(/(^|\/)rsync .*--rsh=/)],
      ["the agent", () => killThere(agentProgram)],
      ["the connection", () => killThere(sshConnection)],
    ])("loses nothing when %s is killed, and goes on", async (_, kill) => {
      const { before, now, operation } = await underWay();
      await kill();
      const { state, error } = await over(operation.id);
      const there = await readFile(destination());
      expect(there.equals(state === "succeeded" ? now : before), error?.code).toBe(true);
      await synced({ direction });
      expect((await readFile(destination())).equals(now)).toBe(true);
    });

    it("loses nothing when the controller is killed, and goes on by itself", async () => {
      const { before, now, operation } = await underWay();
      await berth.crash();
      const there = await readFile(destination());
      expect([before, now].some((whole) => whole.equals(there))).toBe(true);
      await berth.start();
      await berth.ended(operation.id);
      expect((await readFile(destination())).equals(now)).toBe(true);
      expect((await readFile(source())).equals(now)).toBe(true);
    });
  });

  it("is not synced where another host key is shown than was pinned, and says so", async () => {
    const root = await berth.rootOf(sandbox);
    const file = join(root, guestPaths.sshHostKey);
    const own = await readFile(file, "utf8");
    /** sshd reads its keys anew. */
    const renew = () => signalThere(sshListener, "SIGHUP");
    await writeFile(file, sshKeyPair(randomBytes(32), "another").privateKey);
    await writeFile(join(folder, "both"), "of who does not know whom it speaks to");
    const before = await text(join(workspace, "both"));
    try {
      await renew();
      const refused = await eventually(async () => {
        const { state, error } = await over((await begin({ direction: "push" })).id);
        return state === "failed" && error?.code === "sync_host_key_mismatch" ? error : undefined;
      });
      expect(refused).toMatchObject({ message: /Another SSH host key is shown/, hint: /look before you connect/ });
      expect(await text(join(workspace, "both"))).toBe(before);
      const direct = await ssh.attempt(sandbox, "true");
      expect(direct).toMatchObject({ code: 255, stderr: /REMOTE HOST IDENTIFICATION HAS CHANGED/ });
    } finally {
      await writeFile(file, own);
      await renew();
    }
    await eventually(async () => (await over((await begin({ direction: "push" })).id)).state === "succeeded");
    expect(await text(join(workspace, "both"))).toBe("of who does not know whom it speaks to");
  });

  it.runIf(process.env.BERTH_TEST_BACKEND === "lxc")("writes no half a file to a disk that is full", async () => {
    const fill = "fallocate -l $(($(df --output=avail -B1 . | tail -n 1) - 2000000)) .berth/filler";
    await inside(`mkdir -p .berth && ${fill}`);
    const before = await readFile(join(workspace, "large"));
    await writeFile(join(folder, "large"), randomBytes(8 * 1024 * 1024));
    expect((await over((await begin({ direction: "push" })).id)).error?.code).toBe("sync_disk_full");
    expect((await readFile(join(workspace, "large"))).equals(before)).toBe(true);
    await inside("rm .berth/filler");
    await synced({ direction: "push" });
    const small = join(roots, "small");
    await mkdir(small);
    await run("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", small]);
    disposals.push(async () => void (await run("umount", [small])));
    expect((await over((await begin({ direction: "pull", folder: small })).id)).error?.code).toBe("sync_disk_full");
    expect(await readdir(small)).not.toContain("large");
    await run("mount", ["-o", "remount,size=64m", small]);
    await synced({ direction: "pull", folder: small });
    const [large, copy] = await Promise.all([workspace, small].map((place) => readFile(join(place, "large"))));
    expect(large && copy?.equals(large)).toBe(true);
  });
});

const encoded = (path: string) => ({ path: "two.txt", pathBytes: Buffer.from(path).toString("base64url") });
/** What leads out of a folder, as text and as bytes. */
const pathsOutside = ["..", "a/../../both", "/etc/passwd", ""].flatMap((path) => [
  ...(path === "" ? [] : [{ path }]),
  encoded(path),
]);
