import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OutputRing } from "../src/pty-host/ring.ts";
import { TerminalStore } from "../src/pty-host/store.ts";
import { outputAt } from "./support/fake-pty.ts";
import { temporaryRoot } from "./support/pty-host.ts";

describe("the ring", () => {
  it("holds the last bytes of whatever was appended, at their offsets", () => {
    const chunks = fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 30 });
    fc.assert(
      fc.property(chunks, fc.integer({ min: 0, max: 50 }), (sizes, startOffset) => {
        const ring = new OutputRing(128, 16, startOffset);
        let end = startOffset;
        for (const size of sizes) {
          ring.append(outputAt(end, size));
          end += size;
        }
        expect(ring.endOffset).toBe(end);
        expect(ring.startOffset).toBeGreaterThanOrEqual(Math.max(startOffset, end - 128));
        expect(end - ring.startOffset).toBeLessThanOrEqual(128);
        expect(ring.copy(ring.startOffset, end).equals(outputAt(ring.startOffset, end - ring.startOffset))).toBe(true);
      }),
    );
  });
});

describe("the store", () => {
  it("gives back what was written of a ring, in bounded space", async () => {
    const root = temporaryRoot();
    try {
      const store = new TerminalStore(root.path);
      await store.open();
      const ring = new OutputRing(1024 * 1024, 1024);
      let end = 0;
      for (const size of [1, 300_000, 500_000, 7, 900_000, 3_000_000, 10, 200_000]) {
        ring.append(outputAt(end, size));
        end += size;
        await store.appendRing(1, ring);
      }
      const again = new TerminalStore(root.path);
      await again.open();
      expect(again.endOffset(1)).toBe(end);
      const read = await again.readRing(1);
      expect(read.endOffset).toBe(end);
      expect(end - read.startOffset).toBeGreaterThanOrEqual(1_000_000);
      expect(read.copy(read.startOffset, end).equals(outputAt(read.startOffset, end - read.startOffset))).toBe(true);
      await again.forgetBefore(2);
      expect(again.endOffset(1)).toBe(0);
    } finally {
      root.remove();
    }
  });
});
