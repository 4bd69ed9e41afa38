import { type Channel, fileWriteChannelKind, linkLimits, Multiplexer } from "@berth/protocol/link";
import { eventually } from "@berth/testkit";
import { afterEach, describe, expect, it, vi } from "vitest";
import { sendFile } from "../src/files/send-file.ts";

/** A link whose far end is the test itself. */
function farEnd() {
  const far: { channel: Channel | undefined; bytes: number; messages: unknown[]; closed: unknown } = {
    channel: undefined,
    bytes: 0,
    messages: [],
    closed: undefined,
  };
  const near: Multiplexer = new Multiplexer({
    side: "listener",
    send: (frame) => agent.receive(frame),
    onControl: () => {},
  });
  const agent: Multiplexer = new Multiplexer({
    side: "dialler",
    send: (frame) => near.receive(frame),
    onControl: () => {},
    onOpen: (channel) => {
      far.channel = channel;
      channel.handle({
        onData: (payload) => {
          far.bytes += payload.byteLength;
        },
        onMessage: (message) => far.messages.push(message),
        onClose: (reason) => {
          far.closed = reason;
        },
      });
    },
  });
  const open = () => near.open(fileWriteChannelKind, {});
  return { far, near, open, tell: (message: unknown) => far.channel?.sendMessage(message) };
}

/** A file of so many chunks of 64 KiB, which knows how many of them were taken. */
function source(chunks: number) {
  const taken = { chunks: 0, ended: false };
  async function* bytes(): AsyncGenerator<Uint8Array> {
    try {
      for (; taken.chunks < chunks; taken.chunks += 1) yield new Uint8Array(64 * 1024);
    } finally {
      taken.ended = true;
    }
  }
  return { taken, bytes: bytes() };
}

const written = { type: "written", path: "/workspace/.berth/dropped/a", bytes: 131072 };

describe("sending a file", () => {
  afterEach(() => vi.useRealTimers());

  it("begins when it is accepted, and ends when it is written", async () => {
    const { far, open, tell } = farEnd();
    const { taken, bytes } = source(2);
    const sent = sendFile(open(), bytes);
    await Promise.resolve();
    expect(taken.chunks, "nothing was read before the answer").toBe(0);
    tell({ type: "accepted" });
    await eventually(() => far.messages.length > 0);
    expect(far.messages).toEqual([{ type: "end", bytes: 131072 }]);
    tell(written);
    expect(await sent).toEqual({ path: written.path, bytes: written.bytes });
  });

  it("reads no further than half a window beyond what is written, and goes on from there", async () => {
    const { far, open, tell } = farEnd();
    const { taken, bytes } = source(100);
    const sent = sendFile(open(), bytes);
    tell({ type: "accepted" });
    const half = linkLimits.channelWindowBytes / 2;
    await eventually(() => far.bytes === half);
    await new Promise((resolve) => setImmediate(resolve));
    expect(far.bytes).toBe(half);
    expect(taken.chunks).toBeLessThanOrEqual(half / (64 * 1024));
    for (let consumed = 0; far.messages.length === 0; ) {
      const { bytes: arrived } = far;
      far.channel?.consumed(arrived - consumed);
      consumed = arrived;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(far.bytes).toBe(100 * 64 * 1024);
    tell({ ...written, bytes: far.bytes });
    expect(await sent).toMatchObject({ bytes: far.bytes });
  });

  it.each([
    ["insufficient_storage", "insufficient_storage"],
    ["limit_exceeded", "limit_exceeded"],
    ["conflict", "conflict"],
    ["payload_too_large", "payload_too_large"],
    ["invalid_request", "sandbox_not_ready"],
    ["internal", "sandbox_not_ready"],
    ["link_closed", "sandbox_not_ready"],
  ])("that the agent refuses with %s is %s", async (code, outside) => {
    const { far, open } = farEnd();
    const { taken, bytes } = source(2);
    const sent = sendFile(open(), bytes);
    far.channel?.close({ code, detail: "because" });
    await expect(sent).rejects.toMatchObject({ code: outside });
    expect(taken.chunks).toBe(0);
  });

  it("that is cut at its source tells the agent, so that nothing is kept", async () => {
    const { far, open, tell } = farEnd();
    async function* cut(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(10);
      throw new Error("the phone went into a tunnel");
    }
    const sent = sendFile(open(), cut());
    tell({ type: "accepted" });
    await expect(sent).rejects.toThrow("tunnel");
    expect(far.closed).toEqual({ code: "cancelled" });
    expect(far.messages).toEqual([]);
  });

  it.each([
    ["a path that acts on a terminal", { type: "written", path: "/a\x1b]0;x\x07", bytes: 1 }],
    ["a path from nowhere", { type: "written", path: "a", bytes: 1 }],
    ["no message of a writer's", { type: "resized" }],
  ])("to an agent that answers %s fails", async (_, message) => {
    const { open, tell } = farEnd();
    const sent = sendFile(open(), source(1).bytes);
    tell({ type: "accepted" });
    tell(message);
    await expect(sent).rejects.toMatchObject({ code: "sandbox_not_ready" });
  });

  it("to an agent that takes nothing ends after its time", async () => {
    vi.useFakeTimers();
    const { far, open, tell } = farEnd();
    const { taken, bytes } = source(100);
    const sent = sendFile(open(), bytes);
    const refused = expect(sent).rejects.toMatchObject({ code: "sandbox_not_ready" });
    tell({ type: "accepted" });
    await vi.advanceTimersByTimeAsync(30_001);
    await refused;
    expect(far.closed).toEqual({ code: "cancelled" });
    expect(taken.ended, "its source is released").toBe(true);
  });
});
