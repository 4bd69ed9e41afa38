import type { AttachParams, ServerMessage } from "@berth/protocol";
import { type Channel, type CloseReason, terminalChannelKind } from "@berth/protocol/link";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLog } from "../src/log.ts";
import { PtyHost } from "../src/pty-host/host.ts";
import { type FakePty, fakeSpawn } from "./support/fake-pty.ts";
import { loopback } from "./support/loopback.ts";
import { temporaryRoot, until } from "./support/pty-host.ts";

interface Viewer {
  readonly channel: Channel;
  readonly messages: ServerMessage[];
  bytes: number;
  closed: CloseReason | undefined;
}

let root: ReturnType<typeof temporaryRoot>;
let host: PtyHost;
let pty: FakePty;
let link: ReturnType<typeof loopback>;

beforeEach(async () => {
  root = temporaryRoot();
  const { spawn, ptys } = fakeSpawn();
  host = new PtyHost({ folder: root.path, spawn, log: createLog("test", () => {}), bootId: "boot" });
  link = loopback((channel, kind, params) => host.open(channel, kind, params));
  await host.handlers.start({ id: "t", epoch: 1, argv: ["x"], cwd: "/", env: {}, cols: 80, rows: 24 });
  const [first] = ptys;
  if (!first) throw new Error("nothing was started");
  pty = first;
});

afterEach(async () => {
  link.close();
  await host.handlers.remove({ id: "t" });
  root.remove();
});

async function attach(more: Partial<AttachParams>): Promise<Viewer> {
  const params = { terminalId: "t", scrollbackLines: 10, readOnly: true, from: { epoch: 1, offset: 0 }, ...more };
  const viewer: Viewer = {
    channel: link.dialler.open(terminalChannelKind, params),
    messages: [],
    bytes: 0,
    closed: undefined,
  };
  viewer.channel.handle({
    onData: (payload) => {
      viewer.bytes += payload.byteLength;
    },
    // The link's other end is the real host, and what it sends is held to its schema elsewhere.
    onMessage: (message) => viewer.messages.push(message as ServerMessage),
    onClose: (reason) => {
      viewer.closed = reason;
    },
  });
  await until(() => viewer.messages.length > 0);
  return viewer;
}

describe("a viewer that may only look", () => {
  it("gives the terminal no size, when it comes, alone, and when it asks for one", async () => {
    const viewer = await attach({ cols: 20, rows: 5 });
    viewer.channel.sendMessage({ type: "resize", cols: 30, rows: 6 });
    pty.emit(10);
    await until(() => viewer.bytes === 10);
    expect(pty.sizes).toEqual([]);
    expect(viewer.messages[0]).toMatchObject({ type: "attached", cols: 80, rows: 24 });
    const owner = await attach({ readOnly: false, cols: 100, rows: 40 });
    await until(() => pty.sizes.length === 1);
    viewer.channel.sendMessage({ type: "resize", cols: 30, rows: 6 });
    owner.channel.sendMessage({ type: "resize", cols: 101, rows: 40 });
    await until(() => pty.sizes.length === 2);
    expect(pty.sizes.at(-1)).toEqual({ cols: 101, rows: 40 });
  });

  it("is closed when it types, and nothing of it reaches the program", async () => {
    const viewer = await attach({});
    viewer.channel.send(Buffer.from("rm -rf /\r"));
    await until(() => viewer.closed !== undefined);
    expect(viewer.closed?.code).toBe("forbidden");
    expect(pty.written).toEqual([]);
  });

  it("takes no stream of input over from whom it belongs to", async () => {
    const owner = await attach({ readOnly: false, input: { stream: "s", offset: 0 } });
    const viewer = await attach({ input: { stream: "s", offset: 0 } });
    owner.channel.send(Buffer.from("mine"));
    await until(() => owner.messages.some((message) => message.type === "inputAck" && message.offset === 4));
    viewer.channel.close();
    owner.channel.send(Buffer.from("!"));
    await until(() => owner.messages.some((message) => message.type === "inputAck" && message.offset === 5));
    expect(owner.closed).toBeUndefined();
    expect(Buffer.concat(pty.written).toString()).toBe("mine!");
  });

  it("never holds the program up, though it takes nothing in", async () => {
    const viewer = await attach({});
    // One after the other, as the program writes: far more than the window.
    for (let turn = 0; turn < 200; turn += 1) {
      pty.emit(16_384);
      expect(pty.paused).toBe(false);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(viewer.bytes).toBeLessThan(1_000_000);
    expect(pty.paused).toBe(false);
  });
});
