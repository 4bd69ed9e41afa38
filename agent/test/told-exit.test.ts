import { join } from "node:path";
import type { TerminalExit } from "@berth/protocol";
import { terminalChannelKind } from "@berth/protocol/link";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createLog } from "../src/log.ts";
import { PtyHost } from "../src/pty-host/host.ts";
import { limits } from "../src/pty-host/limits.ts";
import { TerminalStore } from "../src/pty-host/store.ts";
import { type FakePty, fakeSpawn } from "./support/fake-pty.ts";
import { loopback } from "./support/loopback.ts";
import { TestViewer, temporaryRoot, until } from "./support/pty-host.ts";

const program = { argv: ["x"], cwd: "/", env: {}, cols: 80, rows: 24 };

let root: ReturnType<typeof temporaryRoot>;
let link: ReturnType<typeof loopback>;
let host: PtyHost;
let ptys: FakePty[];
let viewer: TestViewer;

beforeEach(async () => {
  root = temporaryRoot();
  const { spawn, ptys: spawned } = fakeSpawn();
  ptys = spawned;
  host = new PtyHost({ folder: root.path, spawn, log: createLog("test", () => {}), bootId: "boot" });
  link = loopback((channel, kind, params) => host.open(channel, kind, params));
  await host.handlers.start({ id: "t", epoch: 1, ...program });
  viewer = attach();
  await until(() => viewer.attached !== undefined);
});
afterEach(async () => {
  vi.restoreAllMocks();
  link.close();
  await host.handlers.remove({ id: "t" });
  root.remove();
});

function attach(): TestViewer {
  const params = { terminalId: "t", scrollbackLines: 10, readOnly: false, from: { epoch: 1, offset: 0 } };
  return new TestViewer(link.dialler.open(terminalChannelKind, params));
}

const exits = ({ messages }: TestViewer) => messages.filter(({ type }) => type === "exit");

describe("the end of a terminal's program", () => {
  it("is on disk, with the last byte, in the moment in which anybody is told", async () => {
    const told: string[] = [];
    const seen: Promise<unknown>[] = [];
    const onDisk = async (how: string) => {
      const store = new TerminalStore(join(root.path, "t"));
      await store.open();
      const meta = await store.readMeta();
      told.push(`${how}: ${JSON.stringify(meta?.exit)} ${meta?.lost} ${store.endOffset(1)}`);
    };
    host.onChange(({ state }) => state === "exited" && seen.push(onDisk("a listener")));
    viewer.channel.handle({ onMessage: () => seen.push(onDisk("a viewer")) });
    ptys[0]?.emit(1000);
    ptys[0]?.exit(3);
    expect(await host.handlers.list({})).toMatchObject([{ state: "running", exit: null }]);
    await until(() => seen.length === 2);
    await Promise.all(seen);
    const exit: TerminalExit = { code: 3, signal: null };
    const facts = `${JSON.stringify(exit)} false 1000`;
    expect(told.sort()).toEqual([`a listener: ${facts}`, `a viewer: ${facts}`]);
    expect(await host.handlers.list({})).toMatchObject([{ state: "exited", exit, offset: 1000 }]);
  });

  it("is told once to a viewer that comes before it is on disk", async () => {
    const written = Promise.withResolvers<void>();
    const writeMeta = TerminalStore.prototype.writeMeta;
    vi.spyOn(TerminalStore.prototype, "writeMeta").mockImplementation(async function (this: TerminalStore, meta) {
      await written.promise;
      return writeMeta.call(this, meta);
    });
    ptys[0]?.exit(0);
    const late = attach();
    await until(() => late.attached !== undefined);
    expect(exits(late)).toEqual([]);
    written.resolve();
    await until(() => late.closed !== undefined && viewer.closed !== undefined);
    expect([exits(late).length, exits(viewer).length]).toEqual([1, 1]);
  });

  it.each(["is full", "does not answer"])("is told within about a second when the disk %s", async (how) => {
    const answer = Promise.withResolvers<void>();
    vi.spyOn(TerminalStore.prototype, "writeMeta").mockReturnValue(answer.promise);
    const full = Object.assign(new Error("nothing more fits"), { code: "ENOSPC" });
    if (how === "is full") answer.reject(full);
    const began = performance.now();
    ptys[0]?.exit(0);
    await until(() => exits(viewer).length === 1);
    const tookMs = performance.now() - began;
    if (how === "does not answer") expect(tookMs).toBeGreaterThan(limits.endFlushMs - 10);
    expect(tookMs).toBeLessThan(limits.endFlushMs + 2_000);
    answer.resolve();
  });

  it("lets the next epoch begin at once, which keeps its own", async () => {
    ptys[0]?.exit(1);
    expect(await host.handlers.start({ id: "t", epoch: 2, ...program })).toMatchObject({ epoch: 2, state: "running" });
    await until(() => viewer.closed !== undefined);
    expect(exits(viewer)).toEqual([{ type: "exit", code: 1, signal: null }]);
    expect(await host.handlers.list({})).toMatchObject([{ epoch: 2, state: "running", exit: null }]);
  });
});
