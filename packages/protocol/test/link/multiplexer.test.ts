import { describe, expect, it } from "vitest";
import { encodeFrame, type FrameType, frameTypes, LinkViolation, linkLimits } from "../../src/link/frames.ts";
import { type CloseReason, MessageTooLong, Multiplexer } from "../../src/link/index.ts";
import { MemoryLink } from "./support/memory-link.ts";

const encoder = new TextEncoder();
const windowBytes = linkLimits.channelWindowBytes;

/** A listener, and a peer that sends it whatever the test wants. */
function hostileLink() {
  const { listener } = new MemoryLink();
  const send = (type: FrameType, channel: number, payload: string | Uint8Array) =>
    listener.mux.receive(encodeFrame(type, channel, typeof payload === "string" ? encoder.encode(payload) : payload));
  const open = (channel: number) => send(frameTypes.open, channel, '{"kind":"test","params":null}');
  return { listener, send, open };
}

function credit(bytes: number): Uint8Array {
  const payload = new Uint8Array(4);
  new DataView(payload.buffer).setUint32(0, bytes);
  return payload;
}

describe("a link", () => {
  it("carries control messages both ways, in order", () => {
    const link = new MemoryLink();
    for (const message of [1, "two", { three: [3] }, null]) link.dialler.mux.sendControl(message);
    link.listener.mux.sendControl("back");
    link.deliverAll();
    expect(link.listener.control).toEqual([1, "two", { three: [3] }, null]);
    expect(link.dialler.control).toEqual(["back"]);
  });

  it("lets both ends open channels at once, with kind and parameters", () => {
    const link = new MemoryLink();
    const messages: unknown[] = [];
    for (const { mux } of link.ends) {
      for (const number of [1, 2])
        mux.open("test", { number }).handle({ onMessage: (said) => void messages.push(said) });
    }
    link.deliverAll();
    for (const { opened, mux } of link.ends) {
      expect(opened.map(({ kind, params }) => ({ kind, params }))).toEqual([
        { kind: "test", params: { number: 1 } },
        { kind: "test", params: { number: 2 } },
      ]);
      expect(mux.size).toBe(4);
    }
    link.listener.opened[1]?.channel.sendMessage("to the dialler's second");
    link.dialler.opened[0]?.channel.sendMessage("to the listener's first");
    link.deliverAll();
    expect(messages.sort()).toEqual(["to the dialler's second", "to the listener's first"]);
  });

  it("sends no message that its peer would not take", () => {
    const link = new MemoryLink();
    const { near } = link.channel();
    const longest = "x".repeat(linkLimits.maxMessageBytes - 2);
    let deep: unknown = [];
    for (let depth = 0; depth < 300_000; depth += 1) deep = [deep];
    for (const message of [`${longest}x`, `${longest.slice(1)}é`, deep]) {
      expect(() => link.dialler.mux.sendControl(message)).toThrow(MessageTooLong);
      expect(() => near.sendMessage(message)).toThrow(MessageTooLong);
      expect(() => link.dialler.mux.open("test", message)).toThrow(MessageTooLong);
    }
    expect(link.listener.arriving).toEqual([]);
    link.dialler.mux.sendControl(longest);
    link.deliverAll();
    expect(link.listener.control).toEqual([longest]);
  });

  it("opens no channel that its peer would not take", async () => {
    const link = new MemoryLink();
    for (let opened = 0; opened < linkLimits.maxChannels; opened += 1) link.dialler.mux.open("test", null);
    const reason = await new Promise<CloseReason>((resolve) => {
      link.dialler.mux.open("test", null).handle({ onClose: resolve });
    });
    expect(reason.code).toBe("limit_exceeded");
    link.deliverAll();
    expect([link.dialler.mux.size, link.listener.mux.size]).toEqual([linkLimits.maxChannels, linkLimits.maxChannels]);
    link.listener.opened[0]?.channel.close();
    link.deliverAll();
    expect(link.channel().near.closed).toBe(false);
  });
});

describe("a violation", () => {
  it.each<[string, FrameType, string | Uint8Array]>([
    ["data on the control channel", frameTypes.data, "x"],
    ["credit on the control channel", frameTypes.credit, credit(1)],
    ["the control channel opened", frameTypes.open, '{"kind":"test"}'],
    ["the control channel closed", frameTypes.close, "{}"],
    ["a control message that is not JSON", frameTypes.message, "{"],
    ["a control message that is not UTF-8", frameTypes.message, Uint8Array.of(0x22, 0xff, 0x22)],
    ["an empty control message", frameTypes.message, ""],
    ["a message that is too long", frameTypes.message, `"${"x".repeat(linkLimits.maxMessageBytes)}"`],
  ])("is %s", (_, type, payload) => {
    const { listener, send } = hostileLink();
    expect(() => send(type, 0, payload)).toThrow(LinkViolation);
    expect(listener.control).toEqual([]);
  });

  it.each<[string, FrameType, string | Uint8Array]>([
    ["a credit of three bytes", frameTypes.credit, new Uint8Array(3)],
    ["a credit of five bytes", frameTypes.credit, new Uint8Array(5)],
    ["more credit than the window", frameTypes.credit, credit(1)],
    ["all the credit there is", frameTypes.credit, credit(2 ** 32 - 1)],
    ["a message that is not JSON", frameTypes.message, "nope"],
    ["a message that is too long", frameTypes.message, `"${"x".repeat(linkLimits.maxMessageBytes)}"`],
    ["a close that is not JSON", frameTypes.close, ""],
    ["a close without a reason", frameTypes.close, "null"],
    ["a channel opened twice", frameTypes.open, '{"kind":"test"}'],
  ])("on a channel is %s", (_, type, payload) => {
    const { listener, send, open } = hostileLink();
    open(2);
    expect(() => send(type, 2, payload)).toThrow(LinkViolation);
    expect(listener.opened).toHaveLength(1);
  });

  it("is a frame that is none", () => {
    const { listener } = hostileLink();
    for (const bytes of [[], [1, 0, 0, 0], [0, 0, 0, 0, 0], [6, 0, 0, 0, 2], [255, 0, 0, 0, 0, 1]]) {
      expect(() => listener.mux.receive(Uint8Array.from(bytes))).toThrow(LinkViolation);
    }
  });

  it("is to open a channel of the other side's numbers", () => {
    const { open } = hostileLink();
    expect(() => open(1)).toThrow(LinkViolation);
    const { dialler } = new MemoryLink();
    const even = encodeFrame(frameTypes.open, 2, encoder.encode('{"kind":"test"}'));
    expect(() => dialler.mux.receive(even)).toThrow(LinkViolation);
  });

  it.each(["null", "[]", "{}", '{"kind":1}', '"test"', "", "{"])("is to open a channel with %j", (payload) => {
    const { listener, send } = hostileLink();
    expect(() => send(frameTypes.open, 2, payload)).toThrow(LinkViolation);
    expect(listener.mux.size).toBe(0);
  });

  it("is to open one where none may be opened", () => {
    const mux = new Multiplexer({ side: "listener", send: () => {}, onControl: () => {} });
    const frame = encodeFrame(frameTypes.open, 2, encoder.encode('{"kind":"test"}'));
    expect(() => mux.receive(frame)).toThrow(LinkViolation);
  });

  it("is to open too many channels", () => {
    const { listener, open } = hostileLink();
    for (let opened = 0; opened < linkLimits.maxChannels; opened += 1) open(2 + 2 * opened);
    expect(() => open(2 + 2 * linkLimits.maxChannels)).toThrow(LinkViolation);
    expect(listener.mux.size).toBe(linkLimits.maxChannels);
    listener.opened[0]?.channel.close();
    expect(() => open(4 + 2 * linkLimits.maxChannels)).not.toThrow();
  });

  it("is data beyond the window, of which one frame may overdraw", () => {
    const { listener, send, open } = hostileLink();
    open(2);
    send(frameTypes.data, 2, new Uint8Array(windowBytes - 1));
    send(frameTypes.data, 2, new Uint8Array(linkLimits.maxFrameBytes));
    expect(() => send(frameTypes.data, 2, new Uint8Array(1))).toThrow(LinkViolation);
    expect(listener.opened[0]?.channel.closed).toBe(false);
  });

  it("is data against credit that was owed and not given", () => {
    const { listener, send, open } = hostileLink();
    open(2);
    send(frameTypes.data, 2, new Uint8Array(windowBytes));
    // Less than a quarter of the window is not told, so the peer cannot know of it.
    listener.opened[0]?.channel.consumed(windowBytes / 4 - 1);
    expect(() => send(frameTypes.data, 2, new Uint8Array(1))).toThrow(LinkViolation);
  });
});

describe("the end of a channel", () => {
  it("is told to the other side with its reason, once, and frees its place", () => {
    const link = new MemoryLink();
    const { near, far } = link.channel();
    const reasons: CloseReason[] = [];
    near.handle({ onClose: () => expect.unreachable("it closed the channel itself") });
    far.handle({ onClose: (reason) => void reasons.push(reason) });
    near.close({ code: "because", detail: "of this" });
    near.close({ code: "again" });
    expect([near.closed, near.creditBytes]).toEqual([true, 0]);
    link.deliverAll();
    expect(reasons).toEqual([{ code: "because", detail: "of this" }]);
    expect([far.closed, link.dialler.mux.size, link.listener.mux.size]).toEqual([true, 0, 0]);
  });

  it("as it should be has no code", () => {
    const link = new MemoryLink();
    const { near, far } = link.channel();
    const reasons: CloseReason[] = [];
    near.handle({ onClose: (reason) => void reasons.push(reason) });
    far.close();
    link.deliverAll();
    expect(reasons).toEqual([{}]);
  });

  it("comes after the data that was sent before it", () => {
    const link = new MemoryLink();
    const { near, far } = link.channel();
    const seen: string[] = [];
    far.handle({ onData: (payload) => void seen.push(String(payload)), onClose: () => void seen.push("closed") });
    near.send(Uint8Array.of(1));
    near.send(Uint8Array.of(2));
    near.close();
    link.deliverAll();
    expect(seen).toEqual(["1", "2", "closed"]);
  });

  it("by both sides at once is no violation, and nobody is told", () => {
    const link = new MemoryLink();
    const { near, far } = link.channel();
    for (const channel of [near, far]) channel.handle({ onClose: () => expect.unreachable("it closed it itself") });
    near.close();
    far.close();
    link.deliverAll();
    expect([link.dialler.mux.size, link.listener.mux.size]).toEqual([0, 0]);
  });

  it("makes what was under way to it no violation, and drops it", () => {
    const link = new MemoryLink();
    const { near, far } = link.channel();
    near.handle({
      onData: () => expect.unreachable("it is closed"),
      onMessage: () => expect.unreachable("it is closed"),
    });
    far.send(new Uint8Array(10));
    far.sendMessage("late");
    near.close();
    link.deliverAll();
    for (const channel of [near, far]) {
      channel.send(new Uint8Array(1));
      channel.sendMessage("later");
      channel.consumed(windowBytes);
      channel.passCredit(1);
    }
    expect(link.ends.map(({ arriving }) => arriving.length)).toEqual([0, 0]);
  });

  it("is told with no more of its reason than fits", () => {
    const link = new MemoryLink();
    const { near, far } = link.channel();
    const reasons: CloseReason[] = [];
    far.handle({ onClose: (reason) => void reasons.push(reason) });
    near.close({ code: "c".repeat(100), detail: "d".repeat(2 * linkLimits.maxMessageBytes) });
    link.deliverAll();
    expect(reasons).toEqual([{ code: "c".repeat(64), detail: "d".repeat(1024) }]);
  });

  it("has of a hostile reason only what is text", () => {
    const { listener, send, open } = hostileLink();
    open(2);
    const reasons: CloseReason[] = [];
    listener.opened[0]?.channel.handle({ onClose: (reason) => void reasons.push(reason) });
    send(frameTypes.close, 2, '{"code":1,"detail":["x"],"more":true}');
    expect(reasons).toEqual([{}]);
  });

  it("may be the answer to its opening", () => {
    const link = new MemoryLink({ onOpen: (channel) => channel.close({ code: "no" }) });
    const reasons: CloseReason[] = [];
    link.dialler.mux.open("test", null).handle({ onClose: (reason) => void reasons.push(reason) });
    link.deliverAll();
    expect(reasons).toEqual([{ code: "no" }]);
    expect(link.listener.mux.size).toBe(0);
  });
});

describe("the end of a link", () => {
  it("closes every channel with its code, once", () => {
    const link = new MemoryLink();
    const reasons: CloseReason[] = [];
    for (const number of [1, 2]) {
      link.channel(number).near.handle({ onClose: (reason) => void reasons.push(reason) });
    }
    link.dialler.mux.close("gone");
    link.dialler.mux.close("again");
    expect(reasons).toEqual([{ code: "gone" }, { code: "gone" }]);
    expect(link.dialler.mux.size).toBe(0);
  });

  it("lets nothing in or out any more", async () => {
    const link = new MemoryLink();
    const { near } = link.channel();
    link.listener.mux.sendControl("under way");
    link.dialler.mux.close();
    near.send(new Uint8Array(1));
    link.dialler.mux.sendControl("late");
    link.deliverAll();
    expect([link.dialler.control, link.listener.control]).toEqual([[], []]);
    const late = link.dialler.mux.open("test", null);
    const reason = await new Promise<CloseReason>((resolve) => late.handle({ onClose: resolve }));
    expect([reason, late.closed]).toEqual([{ code: "link_closed" }, true]);
  });
});
