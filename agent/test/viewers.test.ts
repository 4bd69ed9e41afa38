import { type AttachParams, attachLimits, type ServerMessage, serverMessageSchema } from "@berth/protocol";
import { type Channel, linkLimits, terminalChannelKind } from "@berth/protocol/link";
import fc from "fast-check";
import { Value } from "typebox/value";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLog } from "../src/log.ts";
import { PtyHost } from "../src/pty-host/host.ts";
import { type FakePty, fakeSpawn, outputAt } from "./support/fake-pty.ts";
import { loopback } from "./support/loopback.ts";
import { temporaryRoot, until } from "./support/pty-host.ts";

/** A viewer that checks every byte, and digests only what it is told to. */
class CheckingViewer {
  readonly channel: Channel;
  readonly messages: ServerMessage[] = [];
  offset = 0;
  ackedOffset: number | undefined;
  inputOffset = 0;
  closed = false;
  /** Bytes on the channel that were not given back as credit. */
  held = 0;
  maxUnackedBytes = 0;
  #snapshotDue = false;

  constructor(channel: Channel) {
    this.channel = channel;
    channel.handle({
      onData: (payload) => this.#data(payload),
      onMessage: (message) => this.#message(message),
      onClose: () => {
        this.closed = true;
      },
    });
  }

  takeIn(): void {
    const bytes = this.held;
    this.held = 0;
    this.channel.consumed(bytes);
  }

  acknowledge(): void {
    this.ackedOffset = this.offset;
    this.channel.sendMessage({ type: "ack", offset: this.offset });
  }

  #data(payload: Uint8Array): void {
    this.held += payload.byteLength;
    if (this.#snapshotDue) {
      this.#snapshotDue = false;
      return;
    }
    expect(Buffer.compare(payload, outputAt(this.offset, payload.byteLength))).toBe(0);
    this.offset += payload.byteLength;
    if (this.ackedOffset !== undefined) {
      this.maxUnackedBytes = Math.max(this.maxUnackedBytes, this.offset - this.ackedOffset);
    }
  }

  #message(message: unknown): void {
    if (!Value.Check(serverMessageSchema, message)) throw new Error("not a server message");
    this.messages.push(message);
    if (message.type === "attached") this.inputOffset = message.inputOffset;
    if (message.type === "attached" && message.mode === "exact") expect(message.offset).toBe(this.offset);
    if (message.type === "resync" || (message.type === "attached" && message.mode === "snapshot")) {
      this.offset = message.offset;
      if (this.ackedOffset !== undefined) this.ackedOffset = message.offset;
      this.#snapshotDue = true;
    }
  }
}

let root: ReturnType<typeof temporaryRoot>;
let host: PtyHost;
let pty: FakePty;
let link: ReturnType<typeof loopback>;

beforeEach(setUp);
afterEach(tearDown);

async function setUp(): Promise<void> {
  root = temporaryRoot();
  const { spawn, ptys } = fakeSpawn();
  host = new PtyHost({ folder: root.path, spawn, log: createLog("test", () => {}), bootId: "boot" });
  link = loopback((channel, kind, params) => host.open(channel, kind, params));
  await host.handlers.start({ id: "t", epoch: 1, argv: ["x"], cwd: "/", env: {}, cols: 80, rows: 24 });
  const [first] = ptys;
  if (!first) throw new Error("nothing was started");
  pty = first;
}

async function tearDown(): Promise<void> {
  link.close();
  await host.handlers.remove({ id: "t" });
  root.remove();
}

function attach(more: Partial<AttachParams> = {}, offset = 0): CheckingViewer {
  const params = { terminalId: "t", scrollbackLines: 10, readOnly: false, ...more };
  const viewer = new CheckingViewer(link.dialler.open(terminalChannelKind, params));
  viewer.offset = offset;
  return viewer;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("viewers", () => {
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant("emit" as const), bytes: fc.integer({ min: 1, max: 200_000 }) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("acknowledge" as const) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("take in" as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("reconnect" as const) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("wait" as const) }) },
  );

  it("see the program's bytes whatever is cut, acknowledged or left lying", { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.boolean(), async (steps, windowed) => {
        await tearDown();
        await setUp();
        const attachFrom = async (offset: number) => {
          const attached = attach({ from: { epoch: 1, offset } }, offset);
          await until(() => attached.messages.length > 0);
          // The window holds for what is sent once the first acknowledgement has come.
          if (windowed) attached.acknowledge();
          await turn();
          attached.maxUnackedBytes = 0;
          return attached;
        };
        let viewer = await attachFrom(0);
        for (const next of steps) {
          if (next.kind === "emit") pty.emit(next.bytes);
          else if (next.kind === "acknowledge" && windowed) viewer.acknowledge();
          else if (next.kind === "take in") viewer.takeIn();
          else if (next.kind === "reconnect") {
            viewer.channel.close();
            viewer = await attachFrom(viewer.offset);
          } else await turn();
        }
        await until(() => {
          viewer.takeIn();
          if (windowed) viewer.acknowledge();
          return viewer.offset === pty.offset;
        });
        expect(viewer.maxUnackedBytes).toBeLessThanOrEqual(attachLimits.windowBytes);
      }),
      { numRuns: 60 },
    );
  });

  it("pause the program while the window of each is full, for a quarter of a second", async () => {
    const viewer = attach({ from: { epoch: 1, offset: 0 } });
    await until(() => viewer.messages.length > 0);
    expect(pty.paused).toBe(false);
    pty.emit(linkLimits.channelWindowBytes + 100_000);
    await until(() => pty.paused);
    await until(() => !pty.paused, 500);
    // It is paced by that viewer no more.
    pty.emit(300_000);
    await turn();
    expect(pty.paused).toBe(false);
    viewer.takeIn();
    await until(() => viewer.offset === pty.offset);
    expect(viewer.messages.filter((message) => message.type === "resync")).toHaveLength(1);
  });

  it("are not held up by one that takes nothing", async () => {
    const slow = attach({ from: { epoch: 1, offset: 0 } });
    const fast = attach({ from: { epoch: 1, offset: 0 } });
    await until(() => slow.messages.length > 0 && fast.messages.length > 0);
    for (let round = 0; round < 30; round += 1) {
      pty.emit(100_000);
      await until(() => {
        fast.takeIn();
        return fast.offset === pty.offset;
      });
      expect(pty.paused).toBe(false);
    }
    expect(fast.messages.some((message) => message.type === "resync")).toBe(false);
    slow.takeIn();
    await until(() => slow.offset === pty.offset);
    expect(slow.messages.at(-1)?.type).toBe("resync");
  });

  it("never pause a program that nobody sees", async () => {
    pty.emit(5_000_000);
    expect(pty.paused).toBe(false);
  });

  it("hear the exit behind the last byte, even when they were behind", async () => {
    const viewer = attach({ from: { epoch: 1, offset: 0 } });
    await until(() => viewer.messages.length > 0);
    pty.emit(900_000);
    pty.exit(7);
    await until(() => {
      viewer.takeIn();
      return viewer.closed;
    });
    expect(viewer.offset).toBe(900_000);
    expect(viewer.messages.at(-1)).toEqual({ type: "exit", code: 7, signal: null });
  });

  it("are refused an acknowledgement of what was not sent", async () => {
    const viewer = attach({ from: { epoch: 1, offset: 0 } });
    await until(() => viewer.messages.length > 0);
    viewer.channel.sendMessage({ type: "ack", offset: 1 });
    await until(() => viewer.closed);
    expect(viewer.messages.at(-1)).toMatchObject({ type: "error", code: "invalid_request" });
  });
});

describe("input", () => {
  it("is written exactly once, whatever is cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 0, max: 60 }), fc.boolean()), {
          maxLength: 30,
        }),
        async (steps) => {
          await tearDown();
          await setUp();
          const typed = outputAt(0, 2000);
          let sent = 0;
          let viewer = attach({ input: { stream: "s", offset: 0 } });
          await until(() => viewer.messages.length > 0);
          pty.inputRoom = 0;
          for (const [bytes, room, cut] of steps) {
            viewer.channel.send(typed.subarray(sent, sent + bytes));
            sent += bytes;
            pty.inputRoom += room;
            if (!cut) continue;
            // The old channel is still open when the new one comes, as after a lost connection.
            viewer = attach({ input: { stream: "s", offset: 0 } });
            await until(() => viewer.messages.length > 0);
            sent = viewer.inputOffset;
          }
          pty.inputRoom = Number.POSITIVE_INFINITY;
          viewer.channel.send(typed.subarray(sent));
          await until(() => Buffer.concat(pty.written).byteLength >= 2000);
          expect(Buffer.concat(pty.written).equals(typed)).toBe(true);
          await until(() => viewer.messages.some((message) => message.type === "inputAck" && message.offset === 2000));
        },
      ),
      { numRuns: 40 },
    );
  });

  it("of a viewer that may only look closes it", async () => {
    const viewer = attach({ readOnly: true });
    await until(() => viewer.messages.length > 0);
    viewer.channel.send(Buffer.from("x"));
    await until(() => viewer.closed);
    expect(pty.written).toEqual([]);
  });
});

describe("the size", () => {
  it("is that of a sole viewer at once, then of the one who typed last, and is never set to what it is", async () => {
    const one = attach({ cols: 100, rows: 30 });
    await until(() => one.messages.length > 0);
    expect(pty.sizes).toEqual([{ cols: 100, rows: 30 }]);
    const two = attach({ cols: 90, rows: 20 });
    await until(() => two.messages.length > 0);
    expect(pty.sizes).toHaveLength(1);
    // An answer of the terminal itself is nobody's typing.
    two.channel.send(Buffer.from("\x1b[?62;4c"));
    two.channel.send(Buffer.from("\x1b[I"));
    await turn();
    expect(pty.sizes).toHaveLength(1);
    two.channel.send(Buffer.from("l"));
    await until(() => pty.sizes.length === 2);
    expect(pty.sizes.at(-1)).toEqual({ cols: 90, rows: 20 });
    await until(() => one.messages.some((message) => message.type === "resized" && message.cols === 90));
    one.channel.sendMessage({ type: "resize", cols: 101, rows: 30 });
    two.channel.sendMessage({ type: "resize", cols: 90, rows: 20 });
    await turn();
    expect(pty.sizes).toHaveLength(2);
    two.channel.close();
    await until(() => pty.sizes.length === 3);
    expect(pty.sizes.at(-1)).toEqual({ cols: 101, rows: 30 });
  });
});
