import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { ManualClock } from "@berth/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PtyHostLink } from "../src/agent/pty-host-link.ts";
import { createLog } from "../src/log.ts";
import { temporaryRoot, until } from "./support/pty-host.ts";

let root: ReturnType<typeof temporaryRoot>;
let clock: ManualClock;
let ended: AbortController;
let link: PtyHostLink;
let running: Promise<void>;
/** How often a connection was brought in order; rejects the next attempts while `refuses`. */
let inOrder: number;
let refuses: boolean;

beforeEach(() => {
  root = temporaryRoot();
  clock = new ManualClock();
  ended = new AbortController();
  [inOrder, refuses] = [0, false];
  const log = createLog("test", () => {});
  link = new PtyHostLink({ path: join(root.path, "pty.sock"), clock, log, onTerminal: () => {} });
  running = link.run(async () => {
    if (refuses) throw new Error("not in order");
    inOrder += 1;
  }, ended.signal);
});

afterEach(async () => {
  ended.abort();
  await running;
  root.remove();
  expect(clock.pending).toBe(0);
});

/** A host that accepts connections; answers how many there were, and how to stop. */
async function listen(): Promise<{ connections(): number; close(): Promise<void> }> {
  let count = 0;
  const server = createServer((socket) => {
    count += 1;
    ended.signal.addEventListener("abort", () => socket.destroy());
    socket.on("error", () => {});
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(join(root.path, "pty.sock"), resolve));
  return {
    connections: () => count,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

describe("the agent's link to the PTY host", () => {
  it("connects to nobody before somebody wants the host", async () => {
    const host = await listen();
    await clock.advance(60_000);
    expect(link.wanted).toBe(false);
    await expect(link.call("list", {})).rejects.toMatchObject({ code: "pty_host_unavailable" });
    expect(host.connections()).toBe(0);
    const started = link.started();
    expect(link.wanted).toBe(true);
    await started;
    expect([host.connections(), inOrder]).toEqual([1, 1]);
    ended.abort();
    await host.close();
  });

  it("waits nine seconds for a host to start, tells that it did not, and finds it when it does", async () => {
    const failed = link.started().then(
      () => "started",
      (error: unknown) => error,
    );
    await clock.advance(8_999);
    expect(await Promise.race([failed, "waits"])).toBe("waits");
    await clock.advance(1);
    expect(await failed).toMatchObject({ code: "pty_host_unavailable", message: expect.stringContaining("9 seconds") });
    const host = await listen();
    const started = link.started();
    await clock.advance(1_000);
    await started;
    ended.abort();
    await host.close();
  });

  it("keeps who waits waiting through connections that do not come in order", async () => {
    refuses = true;
    const host = await listen();
    const started = link.started();
    await until(() => host.connections() === 1);
    refuses = false;
    await until(async () => {
      await clock.advance(20);
      return inOrder === 1;
    });
    await started;
    expect(host.connections()).toBe(2);
    ended.abort();
    await host.close();
  });

  it("lets nobody wait for ever who waits when it ends", async () => {
    const waiting = link.want();
    ended.abort();
    await waiting;
    expect(existsSync(join(root.path, "pty.sock"))).toBe(false);
  });
});
