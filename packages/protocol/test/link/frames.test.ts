import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeFrame,
  encodeFrame,
  type FrameType,
  frameTypes,
  LinkViolation,
  linkLimits,
} from "../../src/link/frames.ts";

const types = fc.constantFrom<FrameType>(...Object.values(frameTypes));
const channels = fc.integer({ min: 0, max: 2 ** 32 - 1 });

describe("a frame", () => {
  it("is read as it was written, wherever it lies in memory", () => {
    fc.assert(
      fc.property(types, channels, fc.uint8Array({ maxLength: 200 }), fc.nat(20), (type, channel, payload, before) => {
        const frame = encodeFrame(type, channel, payload);
        expect(frame.byteLength).toBe(linkLimits.headerBytes + payload.byteLength);
        const within = new Uint8Array(before + frame.byteLength + 3);
        within.set(frame, before);
        const read = decodeFrame(within.subarray(before, before + frame.byteLength));
        expect([read.type, read.channel, Buffer.from(read.payload)]).toEqual([type, channel, Buffer.from(payload)]);
      }),
    );
  });

  it("has its type, channel and payload in this order, big endian", () => {
    expect([...encodeFrame(frameTypes.data, 0x01020304, Uint8Array.of(9, 8))]).toEqual([2, 1, 2, 3, 4, 9, 8]);
  });

  it.each([0, 1, 4])("is not of %d bytes", (length) => {
    expect(() => decodeFrame(new Uint8Array(length).fill(1))).toThrow(LinkViolation);
  });

  it.each([0, 6, 255])("is not of type %d", (type) => {
    expect(() => decodeFrame(Uint8Array.of(type, 0, 0, 0, 1))).toThrow(`unknown frame type ${type}`);
  });

  it("is as long as the bound and no longer", () => {
    const longest = encodeFrame(frameTypes.data, 1, new Uint8Array(linkLimits.maxFrameBytes));
    expect(decodeFrame(longest).payload.byteLength).toBe(linkLimits.maxFrameBytes);
    const longer = encodeFrame(frameTypes.data, 1, new Uint8Array(linkLimits.maxFrameBytes + 1));
    expect(() => decodeFrame(longer)).toThrow(LinkViolation);
  });

  it("of garbage is a violation or a frame, nothing else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
        try {
          expect(Object.values(frameTypes)).toContain(decodeFrame(bytes).type);
        } catch (error) {
          expect(error).toBeInstanceOf(LinkViolation);
        }
      }),
    );
  });
});
