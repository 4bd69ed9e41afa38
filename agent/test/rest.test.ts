import { join } from "node:path";
import { terminalChannelKind } from "@berth/protocol/link";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createLog } from "../src/log.ts";
import { AwakeScreens } from "../src/pty-host/awake-screens.ts";
import type { HandedTerminal } from "../src/pty-host/handover.ts";
import { PtyHost } from "../src/pty-host/host.ts";
import { limits } from "../src/pty-host/limits.ts";
import type { AdoptPty, PtyOptions } from "../src/pty-host/pty.ts";
import { RestingScreen } from "../src/pty-host/resting-screen.ts";
import { OutputRing } from "../src/pty-host/ring.ts";
import { ScreenFeed } from "../src/pty-host/screen-feed.ts";
import { TerminalStore } from "../src/pty-host/store.ts";
import { FakePty } from "./support/fake-pty.ts";
import { loopback } from "./support/loopback.ts";
import { TestViewer, temporaryRoot, until } from "./support/pty-host.ts";

const size = { cols: 80, rows: 24 };
const { restAfterMs, lingering, lingerMs } = limits;

// A terminal is at rest soon after it has fallen silent.
beforeAll(() => void Object.assign(limits, { restAfterMs: 20, lingering: 0 }));
afterAll(() => void Object.assign(limits, { restAfterMs, lingering }));

describe("a screen model", () => {
  let ring: OutputRing;
  let feed: ScreenFeed;
  let gaveUp: number;

  beforeEach(() => {
    ring = new OutputRing(limits.ringBytes, limits.firstRingBytes);
    gaveUp = 0;
    const awake = new AwakeScreens(() => {
      gaveUp += 1;
    });
    feed = new ScreenFeed(ring, RestingScreen.blank(size), 0, awake);
  });
  afterEach(() => feed.dispose());

  function write(text: string): void {
    ring.append(Buffer.from(text));
    feed.grew();
  }

  it("is not made before anybody asks, and goes when nobody does any more", async () => {
    write("ready");
    expect(feed.rests).toBe(true);
    expect((await feed.caughtUp()).text().text).toBe("ready");
    await until(() => feed.rests);
    expect(gaveUp).toBe(1);
    const kept = await feed.snapshot(100);
    expect(feed.rests).toBe(true);
    expect(kept).toMatchObject({ offset: 5, approximate: false, ...size });
    write(" more");
    const snapshot = await feed.snapshot(100);
    expect(snapshot.offset).toBe(10);
    expect(Buffer.from(snapshot.bytes).toString()).toContain("ready more");
  });

  it("wakes for a title, wherever that is cut in two, and for much output", async () => {
    write("\x1b");
    write("]2;a title\x07");
    await until(() => feed.title === "a title");
    await until(() => feed.rests);
    expect(feed.title).toBe("a title");
    write("y".repeat(limits.restedBytes));
    await until(() => feed.parsedOffset === ring.endOffset);
  });

  it("stays while it is held", async () => {
    const letGo = feed.hold();
    const model = await feed.caughtUp();
    let asked = 0;
    await until(() => ++asked > 20);
    expect(await feed.caughtUp()).toBe(model);
    letGo();
    await until(() => feed.rests);
  });

  it("rests on in a flood, and begins behind it with its title and colours", async () => {
    write("\x1b]2;a title\x07\x1b]4;1;#102030\x07before");
    await until(() => feed.title === "a title");
    await until(() => feed.rests);
    const flood = "in the flood\r\n".repeat(limits.ringBytes / 4);
    let floods = 0;
    const flooding = setInterval(() => {
      floods += 1;
      write(flood);
    }, 5);
    await until(() => floods > 20);
    expect(feed.outrun).toBe(true);
    expect(feed.rests).toBe(true);
    clearInterval(flooding);
    await until(() => feed.parsedOffset === ring.endOffset);
    const model = await feed.caughtUp();
    expect(model.title).toBe("a title");
    expect(model.palette).toContain("4;1;#102030");
    expect(model.text().text).toMatch(/^(in the flood\n)+in the flood$/);
    expect(model.snapshotApproximate).toBe(true);
  });

  it("keeps its model for a while if it was the last one used", async () => {
    Object.assign(limits, { lingering: 1, lingerMs: 300 });
    const awake = new AwakeScreens();
    const [first, last] = [0, 1].map(
      () => new ScreenFeed(new OutputRing(1024, 1024), RestingScreen.blank(size), 0, awake),
    );
    try {
      await first?.caughtUp();
      await last?.caughtUp();
      await until(() => first?.rests === true);
      expect(last?.rests).toBe(false);
      await until(() => last?.rests === true);
    } finally {
      Object.assign(limits, { lingering: 0, lingerMs });
      first?.dispose();
      last?.dispose();
    }
  });

  it("takes another size while it rests", async () => {
    write("one line that is longer than the next size is wide\r\nanother");
    await feed.caughtUp();
    await until(() => feed.rests);
    feed.resize(20, 10);
    const model = await feed.caughtUp();
    expect(model.text()).toMatchObject({
      cols: 20,
      rows: 10,
      text: expect.stringMatching(/^one line that is lon\nger than/),
    });
  });
});

/** A PTY that can be handed over. */
class HandedPty extends FakePty {
  override readonly slave = "/dev/null";

  override handOver(): undefined {
    // biome-ignore lint/suspicious/noExplicitAny: what is handed over here is for the test's own adoption.
    return { fd: 100, pid: 100, slave: "/dev/null" } as any;
  }
}

describe("a terminal that rests", () => {
  let root: ReturnType<typeof temporaryRoot>;
  let ptys: FakePty[];
  let rests: number;

  beforeEach(() => {
    root = temporaryRoot();
    ptys = [];
    rests = 0;
  });
  afterEach(() => root.remove());

  function newHost(adopt?: AdoptPty): PtyHost {
    const spawn = (options: PtyOptions) => {
      const pty = new HandedPty(options);
      ptys.push(pty);
      return pty;
    };
    const onRest = () => {
      rests += 1;
    };
    const log = createLog("test", () => {});
    const begin = async () => {};
    const succession = adopt ? { adopt, begin } : undefined;
    return new PtyHost({
      folder: root.path,
      spawn,
      log,
      bootId: "boot",
      onRest,
      ...(succession ? { succession } : {}),
    });
  }

  async function restingHost(): Promise<PtyHost> {
    const host = newHost();
    await host.handlers.start({ id: "t", epoch: 1, argv: ["x"], cwd: "/", env: {}, ...size });
    ptys[0]?.options.onData(Buffer.from("line\r\n".repeat(3000)));
    await host.handlers.screen({ id: "t" });
    await until(() => rests > 0);
    // More than what the screen at rest shows, and little enough to let it rest.
    ptys[0]?.options.onData(Buffer.from("the last line"));
    return host;
  }

  it("shows all of it to the host that follows one that was killed", async () => {
    const host = await restingHost();
    const shown = await host.handlers.screen({ id: "t" });
    await until(() => rests > 1);
    await until(async () => {
      const store = new TerminalStore(join(root.path, "t"));
      await store.open();
      return store.endOffset(1) === shown.offset;
    });
    const next = newHost();
    await next.load();
    expect(await next.handlers.screen({ id: "t" })).toEqual(shown);
    await next.handlers.remove({ id: "t" });
  });

  it("is handed over with what came since", async () => {
    const host = await restingHost();
    const handed: HandedTerminal[] = [];
    class Became extends Error {}
    const become = (terminals: readonly HandedTerminal[]) => {
      handed.push(...terminals);
      throw new Became();
    };
    await expect(host.handOver(become)).rejects.toBeInstanceOf(Became);
    const next = newHost((_open, events) => {
      const pty = new HandedPty({ argv: [], cwd: "/", env: {}, ...size, ...events });
      ptys.push(pty);
      return pty;
    });
    await next.load(handed);
    expect((await next.handlers.screen({ id: "t" })).text).toMatch(/line\nthe last line$/);
    ptys.at(-1)?.options.onData(Buffer.from(" and more"));
    expect((await next.handlers.screen({ id: "t" })).text).toMatch(/line\nthe last line and more$/);
    await next.handlers.remove({ id: "t" });
  });

  it("goes on at the exact byte without a model", async () => {
    const host = await restingHost();
    const link = loopback((channel, kind, params) => host.open(channel, kind, params));
    const before = rests;
    const params = { terminalId: "t", scrollbackLines: 100, readOnly: false, from: { epoch: 1, offset: 18_000 } };
    const viewer = new TestViewer(link.dialler.open(terminalChannelKind, params));
    await until(() => viewer.text === "the last line");
    expect(viewer.attached).toMatchObject({ mode: "exact", offset: 18_000 });
    expect(rests).toBe(before);
    link.close();
    await host.handlers.remove({ id: "t" });
  });
});
