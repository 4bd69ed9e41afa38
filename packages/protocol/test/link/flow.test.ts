import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { linkLimits } from "../../src/link/frames.ts";
import { type Channel, relay } from "../../src/link/index.ts";
import { deliverNext, type LinkEnd, MemoryLink } from "./support/memory-link.ts";
import { distinctBytes, PacedReceiver, PacedSender } from "./support/paced.ts";

const windowBytes = linkLimits.channelWindowBytes;
const maxPieceBytes = 300_000;
const totalBytes = 3 * windowBytes + 12_345;

/** One direction of one channel, from the end that sends to the end that consumes. */
interface Stream {
  readonly bytes: Uint8Array;
  readonly sender: PacedSender;
  readonly receiver: PacedReceiver;
}

/** Channels, and every place where frames wait for delivery. */
interface Setup {
  readonly pairs: readonly { near: Channel; far: Channel }[];
  readonly ends: readonly LinkEnd[];
}

const contents = [0, 1, 2, 3].map((seed) => distinctBytes(totalBytes, seed));

function direct(): Setup {
  const link = new MemoryLink();
  return { pairs: [link.channel(), link.channel()], ends: link.ends };
}

/** Channels through a relay of two links, as a viewer's go through the agent to the PTY host. */
function relayed(): Setup {
  const outer = new MemoryLink({
    onOpen: (channel, kind, params) => relay(channel, inner.dialler.mux.open(kind, params)),
  });
  const inner = new MemoryLink();
  const pairs = [1, 2].map((number) => {
    const near = outer.dialler.mux.open("test", number);
    outer.deliverAll();
    inner.deliverAll();
    const far = inner.listener.opened.at(-1)?.channel;
    if (!far) throw new Error("the relay opened nothing");
    return { near, far };
  });
  return { pairs, ends: [...outer.ends, ...inner.ends] };
}

function streamsOf(setup: Setup): Stream[] {
  return setup.pairs
    .flatMap(({ near, far }) => [
      [near, far],
      [far, near],
    ])
    .map(([from, to], index) => {
      const bytes = contents[index];
      if (!from || !to || !bytes) throw new Error("a stream has two ends and contents");
      return { bytes, sender: new PacedSender(from, bytes), receiver: new PacedReceiver(to) };
    });
}

/** `deliver` at an end, `send` or `consume` on a stream; the numbers are taken modulo what there is. */
const steps = fc.array(
  fc.record({
    act: fc.constantFrom("deliver", "deliver", "send", "send", "consume"),
    on: fc.nat(7),
    bytes: fc.integer({ min: 1, max: maxPieceBytes }),
  }),
  { maxLength: 120 },
);

function expectBounded({ sender, receiver }: Stream): void {
  const outstandingBytes = sender.sentBytes - receiver.received.byteLength + receiver.heldBytes;
  expect(outstandingBytes).toBeLessThan(windowBytes + maxPieceBytes);
}

function finish(setup: Setup, streams: readonly Stream[]): void {
  for (let moved = true; moved; ) {
    moved = false;
    for (const { sender } of streams) moved = sender.send(100_000) || moved;
    for (const end of setup.ends) while (deliverNext(end)) moved = true;
    for (const { receiver } of streams) moved = receiver.consume() || moved;
  }
}

describe.each([
  ["directly", direct],
  ["through a relay", relayed],
])("channels that are joined %s", (_, make) => {
  it("bring every byte in order, and never more than the window is under way, however frames interleave", () => {
    fc.assert(
      fc.property(steps, (sequence) => {
        const setup = make();
        const streams = streamsOf(setup);
        for (const { act, on, bytes } of sequence) {
          const stream = streams[on % streams.length];
          const end = setup.ends[on % setup.ends.length];
          if (!stream || !end) throw new Error("there is always one");
          if (act === "deliver") deliverNext(end);
          else if (act === "send") stream.sender.send(bytes);
          else stream.receiver.consume(bytes);
          expectBounded(stream);
        }
        finish(setup, streams);
        for (const { bytes, sender, receiver } of streams) {
          expect(sender.done).toBe(true);
          expect(Buffer.compare(receiver.received, bytes)).toBe(0);
        }
      }),
      { numRuns: 25 },
    );
  });

  it("stop a flood at the window while its reader rests, and no other channel with it", () => {
    const setup = make();
    const [flood, , other] = streamsOf(setup);
    if (!flood || !other) throw new Error("there are four streams");
    const deliver = () => {
      while (setup.ends.some((end) => deliverNext(end)));
    };
    while (flood.sender.send(100_000)) deliver();
    expect(flood.sender.done).toBe(false);
    expect(flood.sender.sentBytes).toBeLessThan(windowBytes + 100_000);
    while (!other.sender.done) {
      expect(other.sender.send(100_000)).toBe(true);
      deliver();
      other.receiver.consume();
      deliver();
    }
    expect(Buffer.compare(other.receiver.received, other.bytes)).toBe(0);
    expect(flood.sender.send(1)).toBe(false);
    finish(setup, [flood]);
    expect(Buffer.compare(flood.receiver.received, flood.bytes)).toBe(0);
  });
});

describe("a channel's credit", () => {
  it("is the window at first, and may be overdrawn by one frame", () => {
    const { near } = new MemoryLink().channel();
    expect(near.creditBytes).toBe(windowBytes);
    near.send(new Uint8Array(windowBytes - 1));
    near.send(new Uint8Array(1000));
    expect(near.creditBytes).toBe(-999);
    expect(() => near.send(new Uint8Array(1))).toThrow(/wait for credit/);
  });

  it("comes back a quarter of the window at a time", () => {
    const link = new MemoryLink();
    const { near, far } = link.channel();
    const credits: number[] = [];
    near.handle({ onCredit: (bytes) => void credits.push(bytes) });
    near.send(new Uint8Array(windowBytes));
    link.deliverAll();
    far.consumed(windowBytes / 4 - 1);
    link.deliverAll();
    expect(credits).toEqual([]);
    far.consumed(1);
    far.consumed(windowBytes / 2);
    link.deliverAll();
    expect(credits).toEqual([windowBytes / 4, windowBytes / 2]);
    expect(near.creditBytes).toBe((windowBytes * 3) / 4);
  });

  it("is not spent on a frame that nobody takes", () => {
    const { near } = new MemoryLink().channel();
    expect(() => near.send(new Uint8Array(linkLimits.maxFrameBytes + 1))).toThrow(/too long/);
    expect(near.creditBytes).toBe(windowBytes);
  });

  it("is not spent on messages", () => {
    const link = new MemoryLink();
    const { near, far } = link.channel();
    const said: unknown[] = [];
    far.handle({ onMessage: (message) => void said.push(message) });
    near.send(new Uint8Array(windowBytes));
    for (const message of [1, { two: 2 }]) near.sendMessage(message);
    link.deliverAll();
    expect(said).toEqual([1, { two: 2 }]);
  });
});
