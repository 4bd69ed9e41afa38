import { attachLimits, deleteTerminal, type Sandbox, type Terminal } from "@berth/protocol";
import { AttachRefused, eventually } from "@berth/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { type Berth, startBerth } from "./berth.ts";
import { numberedStream, numberedStreamOutput, recorded, recorder, ViewerSet } from "./sandbox-programs.ts";

/** Begins with a full reset (RIS). */
const fullReset = Buffer.from("\x1bc");

describe("attaching", () => {
  let berth: Berth;
  let sandbox: Sandbox;
  const viewers = new ViewerSet();

  beforeAll(async () => {
    berth = await startBerth();
    sandbox = await berth.readySandbox();
  });
  afterEach(() => viewers.closeAll());
  afterAll(() => berth.dispose());

  const exec = (argv: string[], more: { cols?: number; rows?: number } = {}): Promise<Terminal> =>
    berth.openTerminal(sandbox.id, { kind: "exec", argv, ...more });
  /** A program that repeats each line that it gets. */
  const echo = (more: { cols?: number; rows?: number } = {}) => exec(["/bin/sh", "-c", "echo up; exec cat"], more);

  it("is answered with where the bytes begin, and without `from` by one snapshot that does not count", async () => {
    const { id } = await exec(["/bin/sh", "-c", "printf 'one\\ntwo'; exec cat"], { cols: 90, rows: 20 });
    const early = await viewers.attach(berth, id, { from: { epoch: 1, offset: 0 } });
    const end = await early.waitForBytes("two");
    const viewer = await viewers.attach(berth, id);
    expect(viewer.messages).toEqual([
      {
        type: "attached",
        epoch: 1,
        offset: end,
        mode: "snapshot",
        cols: 90,
        rows: 20,
        windowBytes: attachLimits.windowBytes,
        inputOffset: 0,
      },
    ]);
    await viewer.waitForText("one\ntwo");
    expect(viewer.snapshots).toHaveLength(1);
    expect(viewer.snapshots[0]?.subarray(0, 2)).toEqual(fullReset);
    viewer.write("three\r");
    await viewer.waitForBytes("three\r\nthree\r\n");
    expect(viewer.snapshots).toHaveLength(1);
    expect(viewer.runs).toHaveLength(1);
    expect(viewer.bytesSince(end)).toEqual(early.bytesSince(end));
  });

  it("goes on exactly from where the client's output ends, as long as the ring has it", async () => {
    const { id } = await exec(numberedStream(20_000, 500, 1));
    const whole = numberedStreamOutput(20_000);
    const first = await viewers.attach(berth, id);
    await first.waitForExit(30_000);
    const last = whole.length;
    const kept = await viewers.attach(berth, id, { from: { epoch: 1, offset: last - 100_000 } });
    await kept.waitForExit();
    expect(kept.attaches[0]).toMatchObject({ mode: "exact", offset: last - 100_000 });
    expect(kept.bytesSince(last - 100_000).equals(whole.subarray(last - 100_000))).toBe(true);
    const atTheEnd = await viewers.attach(berth, id, { from: { epoch: 1, offset: last } });
    await atTheEnd.waitForExit();
    expect(atTheEnd.attaches[0]).toMatchObject({ mode: "exact", offset: last });
    const others = [
      ["future", { epoch: 1, offset: last + 1 }],
      ["too old", { epoch: 1, offset: 0 }],
      ["of another epoch", { epoch: 2, offset: 0 }],
      ["of no epoch", { epoch: 0, offset: 0 }],
    ] as const;
    for (const [what, from] of others) {
      const viewer = await viewers.attach(berth, id, { from });
      await viewer.waitForExit();
      expect(viewer.attaches[0], what).toMatchObject({ epoch: 1, mode: "snapshot", offset: last });
      expect(viewer.snapshots[0]?.subarray(0, 2), what).toEqual(fullReset);
      expect(viewer.screen.text(), what).toContain("19999 é漢🙂");
    }
  });

  it("tells how a program ended after its last byte, to those who were there and to those who come later", async () => {
    const { id } = await exec(["/bin/sh", "-c", "echo up; read x; printf last; exit 7"]);
    const viewer = await viewers.attach(berth, id);
    await viewer.waitForText("up");
    viewer.write("\r");
    expect(await viewer.waitForExit()).toEqual({ code: 7, signal: null });
    expect(viewer.messages.at(-1)?.type).toBe("exit");
    expect(viewer.closes).toEqual([{ code: 1000, reason: "" }]);
    expect(viewer.screen.text()).toContain("last");
    const late = await viewers.attach(berth, id);
    expect(await late.waitForExit()).toEqual({ code: 7, signal: null });
    expect(late.messages.map(({ type }) => type)).toEqual(["attached", "exit"]);
    expect(late.screen.text()).toBe(viewer.screen.text());
    expect(late.closes).toEqual([{ code: 1000, reason: "" }]);
  });

  it("shows a program that a signal ended as just that", async () => {
    const { id } = await exec(["/bin/sh", "-c", "kill -KILL $$"]);
    const viewer = await viewers.attach(berth, id);
    expect(await viewer.waitForExit()).toEqual({ code: null, signal: "SIGKILL" });
  });

  it("gives the terminal the size of whoever typed last, and sends none that changes nothing", async () => {
    const program = `const tell = () => console.log("size", process.stdout.rows, process.stdout.columns);
      process.stdout.on("resize", tell); tell(); process.stdin.resume();`;
    const { id } = await exec(["node", "-e", program], { cols: 80, rows: 24 });
    const one = await viewers.attach(berth, id, { cols: 100, rows: 30 });
    // Alone, so at once.
    await one.waitForText("size 30 100");
    const two = await viewers.attach(berth, id, { cols: 60, rows: 20 });
    expect(two.attaches[0]).toMatchObject({ cols: 100, rows: 30 });
    two.resize(61, 21);
    two.write("x");
    await one.waitForText("size 21 61");
    await eventually(() => one.screen.cols === 61 && two.screen.cols === 61);
    one.resize(99, 33);
    two.resize(61, 21);
    two.write("y");
    const end = await two.waitForBytes("y");
    expect(sizes(one)).toEqual(["61x21"]);
    expect(sizes(two)).toEqual(["61x21"]);
    // Once alone, the size is its own again.
    await two.close();
    await one.waitForText("size 33 99");
    expect(sizes(one)).toEqual(["61x21", "99x33"]);
    expect(one.bytesSince(end).toString().match(/size/g)).toHaveLength(1);
  });

  it("holds a viewer that acknowledges to its window, resynchronises it, and slows nobody else for it", async () => {
    const lines = 40_000;
    const { id } = await exec(["/bin/sh", "-c", 'read x; exec "$@"', "sh", ...numberedStream(lines, 200, 1)]);
    const fast = await viewers.attach(berth, id);
    const slow = await viewers.attach(berth, id, { acknowledge: false });
    const { offset, windowBytes } = slow.attaches[0] ?? { offset: 0, windowBytes: 0 };
    slow.sendText(JSON.stringify({ type: "ack", offset }));
    fast.write("\r");
    await eventually(() => slow.offset - offset === windowBytes, { timeoutMs: 20_000, what: "a full window" });
    await fast.waitForBytes(`\r\n${lines - 1} `, 30_000);
    await fast.waitForExit();
    expect(fast.bytesSince(2).equals(numberedStreamOutput(lines))).toBe(true);
    expect(fast.snapshots).toHaveLength(1);
    expect(slow.offset).toBe(offset + windowBytes);
    expect(slow.messages.map(({ type }) => type)).toEqual(["attached"]);
    slow.sendText(JSON.stringify({ type: "ack", offset: slow.offset }));
    expect(await slow.waitForExit()).toEqual({ code: 0, signal: null });
    expect(slow.messages.map(({ type }) => type)).toEqual(["attached", "resync", "exit"]);
    expect(slow.snapshots[1]?.subarray(0, 2)).toEqual(fullReset);
    expect(slow.screen.textWithScrollback()).toContain(`${lines - 1} é漢🙂`);
    // Its own screen may still be parsing what has come.
    await eventually(() => fast.screen.text() === slow.screen.text(), { what: "the same screen at both" });
  });

  it("lets a viewer that stopped reading its socket come back to the present screen", async () => {
    // More than the sockets on the way may hold.
    const flood = "read x; yes 0123456789abcdefghijklmnopqrstuvwxyz0123456789 | head -c 40000000; echo end; exec cat";
    const { id } = await exec(["/bin/sh", "-c", flood]);
    const fast = await viewers.attach(berth, id);
    const stalled = await viewers.attach(berth, id);
    stalled.pause();
    fast.write("\r");
    await fast.waitForText("end", 40_000);
    expect(stalled.screen.text()).not.toContain("end");
    stalled.resume();
    await stalled.waitForText("end", 20_000);
    expect(stalled.messages.map(({ type }) => type)).toContain("resync");
    fast.write("more\r");
    await stalled.waitForBytes("more\r\nmore\r\n");
    expect(stalled.screen.text()).toBe(fast.screen.text());
  });

  it("answers a bad control frame by an error and 1008, and the other viewers see nothing of it", async () => {
    const { id } = await echo();
    const other = await viewers.attach(berth, id);
    const bad = ["", "{", "null", '{"type":"x"}', '{"type":"resize","cols":0,"rows":1}', '{"type":"ack","offset":-1}'];
    for (const text of [...bad, '{"type":"ack","offset":9999999}', `{"type":"${"x".repeat(100_000)}"}`]) {
      const viewer = await viewers.attach(berth, id);
      viewer.sendText(text);
      expect(await viewer.waitForMessage("error"), text.slice(0, 60)).toMatchObject({ code: "invalid_request" });
      await eventually(() => viewer.closes.length > 0);
      expect(viewer.closes[0]?.code, text.slice(0, 60)).toBe(1008);
    }
    other.write("still here\r");
    await other.waitForBytes("still here\r\nstill here\r\n");
    expect(other.closes).toEqual([]);
  });

  it("counts input by stream, so that what is sent again is typed once", async () => {
    const { id } = await exec(recorder("typed"));
    const viewer = await viewers.attach(berth, id, { reconnectMs: 10_000 });
    await viewer.waitForText("recording");
    let typed = "";
    for (let turn = 0; turn < 200; turn += 1) {
      const key = `key ${turn}. `;
      typed += key;
      viewer.write(key);
      if (turn % 40 !== 7) continue;
      viewer.drop();
      await eventually(() => !viewer.connected);
    }
    await eventually(() => viewer.input.pending === 0);
    expect(viewer.input.acknowledged).toBe(typed.length);
    await eventually(async () => (await recorded(berth, sandbox, "typed")).length >= typed.length);
    expect(await recorded(berth, sandbox, "typed")).toBe(typed);
    expect(viewer.attaches.length).toBeGreaterThan(1);
    expect(viewer.failure).toBeUndefined();
  });

  it("is refused at the upgrade: unknown and deleted terminals, foreign origins, bad parameters", async () => {
    const { id } = await echo();
    const cookie = `berth_session=${berth.token}`;
    const status = (terminalId: string, headers: Record<string, string>, query = "") =>
      upgradeStatus(`${berth.url}/api/v1/terminals/${terminalId}/attach${query}`, headers);
    const bearer = { authorization: `Bearer ${berth.token}` };
    expect(await status(id, {})).toBe(401);
    expect(await status(id, { cookie, origin: "https://evil.example" })).toBe(403);
    expect(await status(id, { cookie, origin: "null" })).toBe(403);
    expect(await status(id, { cookie })).toBe(403);
    expect(await status(id, { cookie, origin: berth.url })).toBe(101);
    for (const query of ["?from=1", "?cols=0&rows=10", "?scrollback=-1", "?input=%20:1"]) {
      expect(await status(id, bearer, query), query).toBe(400);
    }
    const viewer = await viewers.attach(berth, id);
    await berth.client.call(deleteTerminal, { params: { id } });
    await eventually(() => viewer.closes.length > 0, { what: "the viewer's end" });
    expect(await status(id, bearer)).toBe(404);
    await expect(viewers.attach(berth, id)).rejects.toBeInstanceOf(AttachRefused);
  });
});

function sizes(viewer: { messages: readonly { type: string }[] }): string[] {
  return viewer.messages.flatMap((message) =>
    message.type === "resized" && "cols" in message && "rows" in message ? [`${message.cols}x${message.rows}`] : [],
  );
}

function upgradeStatus(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url.replace("http", "ws"), { headers });
    socket.once("unexpected-response", (request, response) => {
      resolve(response.statusCode ?? 0);
      request.destroy();
    });
    socket.once("open", () => {
      resolve(101);
      socket.terminate();
    });
    socket.once("error", reject);
  });
}
