import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  createSnapshot,
  deleteSandbox,
  deleteSnapshot,
  forkSandbox,
  getSandbox,
  getTerminal,
  gitStatus,
  listSnapshots,
  type Operation,
  restartSandbox,
  rollbackSnapshot,
  type Sandbox,
  stopSandbox,
  updateSandbox,
} from "@berth/protocol";
import {
  eventually,
  type MessagesStub,
  startMessagesStub,
  type TemporaryDirectory,
  temporaryDirectory,
} from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";
import { converse } from "./conversation.ts";
import { makeRemote } from "./git-flow.ts";
import { ViewerSet } from "./sandbox-programs.ts";

const size = { cols: 100, rows: 30 };

describe("a sandbox's disk and settings", () => {
  let stub: MessagesStub;
  let folder: TemporaryDirectory;
  let berth: Berth;
  let sandbox: Sandbox;
  const viewers = new ViewerSet();

  beforeAll(async () => {
    stub = await startMessagesStub();
    folder = await temporaryDirectory("berth-snapshots-");
    const { origin } = await makeRemote(folder.path);
    const { ANTHROPIC_BASE_URL = "", ANTHROPIC_AUTH_TOKEN = "", ...env } = stub.environment;
    berth = await startBerth({
      env: { ANTHROPIC_BASE_URL, ANTHROPIC_AUTH_TOKEN, BERTH_WORKSPACE_ROOTS: folder.path },
    });
    sandbox = await berth.readySandbox({ name: "app", workspace: { type: "git", url: origin }, env });
  });
  afterAll(async () => {
    viewers.closeAll();
    await berth?.dispose();
    await stub?.dispose();
    await folder?.dispose();
  });

  const now = () => berth.client.call(getSandbox, { params: { id: sandbox.id } });
  const change = async (body: Parameters<typeof changed>[0]) => {
    const { operationId } = await changed(body);
    if (operationId !== null) await berth.ended(operationId);
    return now();
  };
  const changed = (body: {
    cores?: number;
    memoryMiB?: number;
    diskGiB?: number;
    protection?: boolean;
    onBoot?: boolean;
  }) => berth.client.call(updateSandbox, { params: { id: sandbox.id }, body });
  const snapshots = async () => (await berth.client.call(listSnapshots, { params: { id: sandbox.id } })).items;
  const take = async (name: string, description?: string) =>
    (
      await berth.client.call(createSnapshot, {
        params: { id: sandbox.id },
        body: { name, ...(description === undefined ? {} : { description }) },
      })
    ).operation;
  const done = async ({ id }: Operation) => void (await berth.ended(id));

  it("changes while it runs: cores, memory, a larger disk; a smaller one is refused", async () => {
    const after = await change({ cores: 3, memoryMiB: 3072, diskGiB: sandbox.diskGiB + 2, onBoot: true });
    expect(after).toMatchObject({
      ...{ cores: 3, memoryMiB: 3072, diskGiB: sandbox.diskGiB + 2, onBoot: true },
      ...{ state: "ready", restartNeeded: [], drift: [], operationId: null },
    });
    await expect(change({ diskGiB: sandbox.diskGiB })).rejects.toMatchObject({ code: "invalid_request" });
    expect((await change({ onBoot: false })).onBoot).toBe(false);
  });

  it("is not destroyed while it is protected, and restarts as any other", async () => {
    await change({ protection: true });
    const destroy = () => berth.client.call(deleteSandbox, { params: { id: sandbox.id }, query: {} });
    await expect(destroy()).rejects.toMatchObject({ code: "protected" });
    await done((await berth.client.call(restartSandbox, { params: { id: sandbox.id } })).operation);
    expect(await change({ protection: false })).toMatchObject({ protection: false, state: "ready" });
  });

  it("names its snapshots as Proxmox does, each once, and lists them", async () => {
    for (const name of ["x", "1st", "with space", "current", "berth-own"])
      await expect(take(name)).rejects.toMatchObject({ code: "invalid_request" });
    await done(await take("first", "two lines\nof words"));
    await done(await take("second"));
    await expect(take("second")).rejects.toMatchObject({ code: "name_taken", message: /second/ });
    expect(await snapshots()).toMatchObject([
      { name: "first", description: "two lines\nof words", parent: null, running: true, current: false },
      { name: "second", description: "", parent: "first", running: true, current: true },
    ]);
    expect((await now()).state).toBe("ready");
    const gone = await berth.client.call(deleteSnapshot, { params: { id: sandbox.id, name: "first" } });
    await done(gone.operation);
    expect(await snapshots()).toMatchObject([{ name: "second", parent: null }]);
    const again = berth.client.call(deleteSnapshot, { params: { id: sandbox.id, name: "first" } });
    await expect(again).rejects.toMatchObject({ code: "not_found" });
  });

  it("goes back to a snapshot, with its conversation as it was then, and with the settings of now", async () => {
    const file = join(await berth.rootOf(sandbox), "workspace/notes.txt");
    const claude = await berth.openTerminal(sandbox.id, { kind: "claude", ...size });
    const viewer = await viewers.attach(berth, claude.id, { ...size, reconnectMs: 60_000 });
    await writeFile(file, "before");
    await converse(viewer, stub, "what is kept");
    await done(await take("kept"));
    await writeFile(file, "after");
    await converse(viewer, stub, "what is lost");
    await change({ cores: 2 });

    const back = await berth.client.call(rollbackSnapshot, { params: { id: sandbox.id, name: "kept" } });
    await done(back.operation);

    expect(await readFile(join(await berth.rootOf(sandbox), "workspace/notes.txt"), "utf8")).toBe("before");
    expect(await now()).toMatchObject({ state: "ready", cores: 2, drift: [], agent: { connected: true } });
    await eventually(
      async () => {
        const { state, epoch } = await berth.client.call(getTerminal, { params: { id: claude.id } });
        return state === "running" && epoch >= 2;
      },
      { timeoutMs: 20_000, what: "Claude's return" },
    );
    const next = await viewers.attach(berth, claude.id, { ...size, from: { epoch: 1, offset: 10 } });
    expect(next.attaches[0]?.mode).toBe("snapshot");
    const asked = await converse(next, stub, "what comes then");
    expect(asked.history).toContain("what is kept");
    expect(asked.history).not.toContain("what is lost");
    expect(asked.sessionId).toBe(claude.conversationId);
  });

  it("has copies of a snapshot, on a branch of their own, also while it is stopped", async () => {
    await mkdir(join(await berth.rootOf(sandbox), "workspace/later"), { recursive: true });
    await done((await berth.client.call(stopSandbox, { params: { id: sandbox.id } })).operation);
    const begun = await berth.client.call(forkSandbox, {
      params: { id: sandbox.id },
      body: { name: "other", snapshot: "kept" },
    });
    await done(begun.operation);
    const copy = await berth.client.call(getSandbox, { params: { id: begun.sandbox.id } });
    expect(copy).toMatchObject({ state: "ready", forkedFrom: sandbox.id, protection: false });
    expect(await readFile(join(await berth.rootOf(copy), "workspace/notes.txt"), "utf8")).toBe("before");
    expect(await berth.client.call(gitStatus, { params: { id: copy.id } })).toMatchObject({
      branch: { name: "berth/other" },
    });
    expect((await now()).state).toBe("stopped");
    expect((await snapshots()).map(({ name }) => name)).toEqual(["second", "kept"]);
    const nothing = berth.client.call(forkSandbox, { params: { id: sandbox.id }, body: { snapshot: "never" } });
    await expect(nothing).rejects.toMatchObject({ code: "not_found" });
  });
});
