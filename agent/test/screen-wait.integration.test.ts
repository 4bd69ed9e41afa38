import type { ChildProcess } from "node:child_process";
import type { AwaitedScreen, ScreenCondition, ScreenWaitParams } from "@berth/protocol";
import { awaitedScreenSchema, type Channel, type CloseReason, screenWaitChannelKind } from "@berth/protocol/link";
import { Value } from "typebox/value";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { PtyHostLink } from "../src/agent/pty-host-link.ts";
import { limits } from "../src/pty-host/limits.ts";
import { connectPtyHost, endProgram, startProgram, temporaryRoot, until } from "./support/pty-host.ts";

const size = { cols: 80, rows: 24 };
const environment = { PATH: "/usr/bin:/bin", TERM: "xterm-256color", PS1: "$ ", LANG: "C.UTF-8" };

let root: ReturnType<typeof temporaryRoot>;
let host: ChildProcess;
let link: PtyHostLink;
let close: () => Promise<void>;

beforeAll(async () => {
  root = temporaryRoot();
  host = startProgram("pty-host", root.path);
  ({ link, close } = await connectPtyHost(root.path));
});

afterEach(async () => {
  // The last test kills the host.
  if (host.exitCode === null && host.signalCode === null) await link.call("remove", { id: "t1" });
});

afterAll(async () => {
  await close();
  await endProgram(host);
  root.remove();
});

/** A caller that waits: what it was answered, and how its channel closed. */
interface Waiting {
  readonly channel: Channel;
  readonly ended: Promise<{ answer: AwaitedScreen | undefined; reason: CloseReason; ms: number }>;
}

function wait(condition: ScreenCondition, more: Partial<ScreenWaitParams> = {}): Waiting {
  const params: ScreenWaitParams = { terminalId: "t1", condition, timeoutMs: 10_000, ...more };
  const channel = link.open(screenWaitChannelKind, params);
  if (!channel) throw new Error("there is no PTY host");
  const began = performance.now();
  const { promise, resolve } = Promise.withResolvers<Awaited<Waiting["ended"]>>();
  let answer: AwaitedScreen | undefined;
  channel.handle({
    onMessage: (message) => {
      if (!Value.Check(awaitedScreenSchema, message)) throw new Error("not an answer");
      answer = message;
    },
    onClose: (reason) => resolve({ answer, reason, ms: performance.now() - began }),
  });
  return { channel, ended: promise };
}

const start = (script: string, id = "t1") =>
  link.call("start", { id, epoch: 1, argv: ["/bin/bash", "-c", script], cwd: "/tmp", env: environment, ...size });
const type = (text: string, keys: string[] = []) => link.call("input", { id: "t1", text, submit: true, keys });

describe("a wait for a text", () => {
  it("ends as soon as the text is on the screen, and not before", async () => {
    await start("read -r x; printf 'not yet '; read -r x; printf READY; read -r x");
    const waiting = wait({ text: "READY" });
    await type("");
    const early = await wait({ text: "READY" }, { timeoutMs: 200 }).ended;
    expect(early.answer).toMatchObject({ matched: false, state: "running" });
    expect(early.answer?.text).toContain("not yet");
    expect(early.ms).toBeGreaterThanOrEqual(199);
    await type("");
    const { answer, reason } = await waiting.ended;
    expect(answer).toMatchObject({ matched: true, state: "running", ...size });
    expect(answer?.text).toContain("READY");
    expect(reason).toEqual({});
  });

  it("ends at once when the text is there already, also with no time to wait", async () => {
    await start("printf 'here it is'; read -r x");
    await wait({ text: "here it is" }).ended;
    const { answer } = await wait({ text: "it is" }, { timeoutMs: 0 }).ended;
    expect(answer?.matched).toBe(true);
    expect((await wait({ text: "is it" }, { timeoutMs: 0 }).ended).answer?.matched).toBe(false);
  });

  it("takes the text literally", async () => {
    await start("printf 'a+b (c) [d] \\\\ $ '; read -r x");
    for (const text of ["a+b (c) [d] \\ $ ", "b (c)"]) {
      expect((await wait({ text }).ended).answer?.matched).toBe(true);
    }
    expect((await wait({ text: "a.b" }, { timeoutMs: 100 }).ended).answer?.matched).toBe(false);
  });

  it("finds a text that was wrapped, and one over several lines", async () => {
    await start("printf '%070d' 0; printf 'wrapped around the edge\\nsecond\\nthird'; read -r x");
    expect((await wait({ text: "wrapped around the edge" }).ended).answer?.matched).toBe(true);
    expect((await wait({ text: "second\nthird" }).ended).answer?.matched).toBe(true);
  });

  it("finds a text that a flood carried off the screen while it waited", async () => {
    await start("read -r x; seq 1 20000; echo NEEDLE; seq 1 20000; printf END; read -r x");
    const [plain, since] = [wait({ text: "NEEDLE" }), wait({ text: "NEEDLE" }, { since: { epoch: 1, offset: 0 } })];
    await type("");
    expect((await plain.ended).answer?.matched).toBe(true);
    expect((await since.ended).answer?.matched).toBe(true);
    await wait({ text: "END" }).ended;
    // It is on the screen no more, so it is not found by who comes now.
    expect((await wait({ text: "NEEDLE" }, { timeoutMs: 100 }).ended).answer?.matched).toBe(false);
  });

  it("finds a text at the end of a flood that outruns the screen model again and again", async () => {
    await start("read -r x; head -c 30000000 /dev/zero | tr '\\0' x; echo; echo FLOODED; read -r x");
    const since = await type("");
    if (!since) throw new Error("the host does not tell where the output was");
    const waits = [
      wait({ text: "FLOODED" }, { since, timeoutMs: 60_000 }),
      wait({ text: "FLOODED" }, { timeoutMs: 60_000 }),
    ];
    for (const { ended } of waits) expect((await ended).answer?.matched).toBe(true);
  });

  it("does not count, with since, what was on the screen before", async () => {
    await start("printf 'READY\\n'; while read -r x; do echo \"got $x, READY\"; done");
    await wait({ text: "READY" }).ended;
    const { offset } = await link.call("screen", { id: "t1" });
    const since = { epoch: 1, offset };
    expect((await wait({ text: "READY" }, { since, timeoutMs: 150 }).ended).answer?.matched).toBe(false);
    const waiting = wait({ text: "READY" }, { since });
    const position = await type("one");
    expect(position).toEqual(since);
    const { answer } = await waiting.ended;
    expect(answer).toMatchObject({ matched: true });
    expect(answer?.text).toContain("got one, READY");
    // Written behind the place before this wait began: it counts.
    expect((await wait({ text: "READY" }, { since, timeoutMs: 0 }).ended).answer?.matched).toBe(true);
  });

  it("counts all output of this epoch behind a place of an earlier one, and refuses one that is ahead", async () => {
    await start("printf READY; read -r x");
    await wait({ text: "READY" }).ended;
    const earlier = await wait({ text: "READY" }, { since: { epoch: 0, offset: 77 } }).ended;
    expect(earlier.answer?.matched).toBe(true);
    for (const since of [
      { epoch: 1, offset: 1_000_000 },
      { epoch: 2, offset: 0 },
    ]) {
      const ahead = await wait({ text: "READY" }, { since }).ended;
      expect([ahead.answer, ahead.reason.code]).toEqual([undefined, "invalid_request"]);
    }
  });

  it("ends with the program, with its last output looked at", async () => {
    await start("read -r x; printf 'the last word'; exit 3");
    const [found, missed, silent] = [wait({ text: "last word" }), wait({ text: "never" }), wait({ idleMs: 9_000 })];
    await type("");
    expect((await found.ended).answer).toMatchObject({ matched: true });
    expect((await missed.ended).answer).toMatchObject({ matched: false, state: "exited" });
    expect((await silent.ended).answer).toMatchObject({ matched: true, state: "exited" });
    // What has exited is looked at once.
    expect((await wait({ text: "last word" }).ended).answer).toMatchObject({ matched: true, state: "exited" });
    expect((await wait({ text: "never" }).ended).answer).toMatchObject({ matched: false, state: "exited" });
  });
});

describe("a wait for silence", () => {
  it("ends when nothing was written for so long", async () => {
    await start('read -r x; for i in 1 2 3 4 5 6 7 8; do printf "$i "; sleep 0.05; done; printf quiet; read -r x');
    await type("");
    const { answer, ms } = await wait({ idleMs: 300 }).ended;
    expect(answer).toMatchObject({ matched: true, state: "running" });
    expect(answer?.text).toContain("7 8 quiet");
    expect(ms).toBeGreaterThan(299);
  });

  it("has its time, too", async () => {
    await start("while :; do printf .; sleep 0.02; done");
    const { answer, ms } = await wait({ idleMs: 1_000 }, { timeoutMs: 300 }).ended;
    expect(answer?.matched).toBe(false);
    expect(ms).toBeLessThan(1_000);
  });
});

describe("the PTY host", () => {
  it("has no more of a wait whose caller has gone, and bounds how many there are", async () => {
    await start("read -r x; printf READY; read -r x");
    const waits = Array.from({ length: limits.maxWaitsPerTerminal }, () => wait({ text: "READY" }));
    const refused = await wait({ text: "READY" }).ended;
    expect(refused.reason.code).toBe("limit_exceeded");
    waits[0]?.channel.close();
    waits[1]?.channel.close();
    // Opened after the closes on the same link, so the host has seen those.
    const late = wait({ text: "READY" });
    await type("");
    expect((await late.ended).answer?.matched).toBe(true);
    const rest = await Promise.all(waits.slice(2).map(({ ended }) => ended));
    expect(rest.every(({ answer }) => answer?.matched)).toBe(true);
  });

  it("types keys after the text and before Enter, as the program wants them", async () => {
    await start("stty raw -echo; printf '\\033[?1h'; printf ready; head -c 9 | od -An -c; read -r x");
    await wait({ text: "ready" }).ended;
    await link.call("input", { id: "t1", text: "ab", keys: ["Up", "C-c", "M-x"], submit: true });
    await until(async () =>
      (await link.call("screen", { id: "t1" })).text.includes("a   b 033   O   A 003 033   x  \\r"),
    );
  });

  it("ends a wait with a reason when the terminal is removed, and when the host is killed", async () => {
    await start("read -r x");
    await start("read -r x", "t2");
    const removed = wait({ text: "never" });
    await link.call("remove", { id: "t1" });
    expect((await removed.ended).reason.code).toBe("not_found");
    const cut = wait({ text: "never" }, { terminalId: "t2" });
    await link.call("screen", { id: "t2" });
    await endProgram(host, "SIGKILL");
    expect((await cut.ended).reason.code).toBe("pty_host_unavailable");
    const unknown = link.open(screenWaitChannelKind, {});
    expect(unknown).toBeUndefined();
  });
});
