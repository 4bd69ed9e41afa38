import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeFrame, frameTypes, LinkViolation, linkLimits } from "../../src/link/frames.ts";
import { FrameReader, FrameWriter } from "../../src/link/index.ts";

function stream(frames: readonly Uint8Array[]): Buffer {
  const written: Uint8Array[] = [];
  const writer = new FrameWriter((bytes) => void written.push(bytes));
  for (const frame of frames) {
    const memory = writer.allocate(frame.byteLength);
    memory.set(frame);
    writer.send(memory);
  }
  return Buffer.concat(written);
}

/** The frames that a reader finds in these chunks, each copied while it is valid. */
function read(chunks: Iterable<Uint8Array>): string[] {
  const found: string[] = [];
  const reader = new FrameReader((frame) => void found.push(Buffer.from(frame).toString("hex")));
  for (const chunk of chunks) reader.push(chunk);
  return found;
}

function* cut(bytes: Uint8Array, sizes: readonly number[]): Iterable<Uint8Array> {
  let start = 0;
  for (let index = 0; start < bytes.byteLength; index += 1) {
    const size = sizes.length === 0 ? bytes.byteLength : (sizes[index % sizes.length] ?? 0);
    yield bytes.subarray(start, start + size);
    start += size;
  }
}

function prefixed(length: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, length);
  return bytes;
}

describe("memory of frames", () => {
  const full = linkLimits.headerBytes + 64 * 1024;

  it("is used again once it is written, and not before", () => {
    const waiting: { bytes: Uint8Array; onWritten: (() => void) | undefined }[] = [];
    const writer = new FrameWriter((bytes, onWritten) => void waiting.push({ bytes, onWritten }));
    const [first, second] = [writer.allocate(full), writer.allocate(full)];
    expect(second.buffer).not.toBe(first.buffer);
    writer.send(first.fill(1));
    expect(writer.allocate(full).buffer).not.toBe(first.buffer);
    waiting[0]?.onWritten?.();
    expect(writer.allocate(full).buffer).toBe(first.buffer);
  });

  it("is as long as asked for, whatever it was used for before", () => {
    const lengths = fc.array(fc.integer({ min: linkLimits.headerBytes, max: 2 * full }), { maxLength: 20 });
    fc.assert(
      fc.property(lengths, (all) => {
        const frames = all.map((length, index) => new Uint8Array(length).fill(index + 1));
        const found: Uint8Array[] = [];
        const reader = new FrameReader((frame) => void found.push(Uint8Array.from(frame)));
        const writer = new FrameWriter((bytes, onWritten) => {
          reader.push(Uint8Array.from(bytes));
          onWritten?.();
        });
        for (const frame of frames) {
          const memory = writer.allocate(frame.byteLength);
          memory.set(frame);
          writer.send(memory);
        }
        expect(found).toEqual(frames);
      }),
      { numRuns: 30 },
    );
  });
});

describe("frames in a byte stream", () => {
  const payloads = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 });
  const sizes = fc
    .array(fc.integer({ min: 0, max: 30 }), { maxLength: 20 })
    .filter((all) => all.length === 0 || all.some((size) => size > 0));

  it("are the same however the stream is cut", () => {
    fc.assert(
      fc.property(payloads, sizes, (all, cuts) => {
        const frames = all.map((payload, index) => encodeFrame(frameTypes.data, index, payload));
        const expected = frames.map((frame) => Buffer.from(frame).toString("hex"));
        expect(read(cut(stream(frames), cuts))).toEqual(expected);
      }),
      { numRuns: 300, examples: [[[new Uint8Array(3), new Uint8Array(0)], [1]]] },
    );
  });

  it("may be as long as the bound", () => {
    const frame = encodeFrame(frameTypes.data, 1, new Uint8Array(linkLimits.maxFrameBytes));
    let lengthBytes = 0;
    const reader = new FrameReader((found) => {
      lengthBytes = found.byteLength;
    });
    for (const chunk of cut(stream([frame]), [65_536])) reader.push(chunk);
    expect(lengthBytes).toBe(frame.byteLength);
  });

  it("within one chunk are not copied", () => {
    const bytes = stream([encodeFrame(frameTypes.data, 1, Uint8Array.of(1, 2, 3))]);
    new FrameReader((frame) => expect(frame.buffer).toBe(bytes.buffer)).push(bytes);
  });

  it.each([0, linkLimits.headerBytes - 1, linkLimits.maxFrameBytes + linkLimits.headerBytes + 1, 2 ** 32 - 1])(
    "have no length of %d: it is refused as soon as it is known",
    (length) => {
      for (const size of [4, 1, 3]) {
        const reader = new FrameReader(() => expect.unreachable("there is no frame"));
        expect(() => {
          for (const chunk of cut(prefixed(length), [size])) reader.push(chunk);
        }).toThrow(LinkViolation);
      }
    },
  );

  it("before a bad length are read", () => {
    const good = encodeFrame(frameTypes.data, 7, Uint8Array.of(1));
    const found: number[] = [];
    const reader = new FrameReader((frame) => void found.push(frame.byteLength));
    expect(() => reader.push(Buffer.concat([stream([good]), prefixed(2 ** 31)]))).toThrow(LinkViolation);
    expect(found).toEqual([good.byteLength]);
  });
});
