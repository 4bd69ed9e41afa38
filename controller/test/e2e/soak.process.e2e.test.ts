import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { env } from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import type { Sandbox } from "@berth/protocol";
import type { AttachedTerminal } from "@berth/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Berth, startBerth } from "./berth.ts";
import { killProgram, numberedStream, numberedStreamOutput, pidOf, ViewerSet } from "./sandbox-programs.ts";

/** `npm run soak` sets both; without it a short one is part of the tests. */
const minutes = Number(env.SOAK_MINUTES ?? 0.5);
const terminals = Number(env.SOAK_TERMINALS ?? 10);
const reconnectMs = 60_000;
/** `numberedStream` writes three lines each 15 ms. */
const lines = Math.ceil(minutes * 60 * 150);
/** What the PTY host may grow from the middle on, in bytes: heaps breathe, and in a short run scrollback still fills. */
const growthBytes = (minutes >= 2 ? 64 : 32 + 16 * terminals) * 1024 * 1024;

describe("terminals under load, of which every part is killed and cut again and again", () => {
  let berth: Berth;
  let sandbox: Sandbox;
  const viewers = new ViewerSet();

  beforeAll(async () => {
    berth = await startBerth();
    sandbox = await berth.readySandbox();
  });
  afterAll(async () => {
    await viewers.closeAll();
    await berth.dispose();
  });

  /** What happens to them; the PTY host lives, since its programs would end with it. */
  const mishaps: readonly (() => Promise<void>)[] = [
    async () => {
      await berth.crash();
      await berth.start();
    },
    () => killProgram(berth, sandbox, "agent"),
    async () => {
      // The network stands still: nobody is told.
      const pid = await pidOf(berth, sandbox, "agent");
      process.kill(pid, "SIGSTOP");
      await wait(2_000);
      process.kill(pid, "SIGCONT");
    },
  ];

  it("lose no byte, and cost no more memory at the end", { timeout: (minutes * 60 + 240) * 1000 }, async () => {
    const attached: AttachedTerminal[] = [];
    for (let count = 0; count < terminals; count += 1) {
      const { id } = await berth.openTerminal(sandbox.id, { kind: "exec", argv: numberedStream(lines, 3, 15) });
      attached.push(await viewers.attach(berth, id, { reconnectMs, from: { epoch: 1, offset: 0 } }));
    }
    const host = await pidOf(berth, sandbox, "pty-host");
    const until = performance.now() + minutes * 60_000;
    let before: number | undefined;
    for (let round = 0; performance.now() < until - 8_000; round += 1) {
      await mishaps[round % mishaps.length]?.();
      await wait(3_000);
      if (performance.now() > until - minutes * 30_000) before ??= await residentBytes(host);
    }
    const expected = digest(numberedStreamOutput(lines));
    for (const viewer of attached) {
      expect(await viewer.waitForExit(120_000)).toEqual({ code: 0, signal: null });
      expect(viewer.failure).toBeUndefined();
      expect(digest(viewer.bytesSince(0))).toBe(expected);
      expect(viewer.attaches.length).toBeGreaterThan(1);
    }
    expect(await pidOf(berth, sandbox, "pty-host")).toBe(host);
    expect((await residentBytes(host)) - (before ?? 0)).toBeLessThan(growthBytes);
  });
});

const digest = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

/** Memory of a process (Linux). */
async function residentBytes(pid: number): Promise<number> {
  const [, kibibytes = "0"] = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kibibytes) * 1024;
}
