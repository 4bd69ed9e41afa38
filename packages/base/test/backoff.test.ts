import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backoffMs } from "../src/index.ts";

const options = { firstMs: 100, maxMs: 3000 };
const justBelowOne = 1 - 2 ** -53;

describe("the wait between attempts", () => {
  it("doubles its bound up to the greatest", () => {
    const bounds = [0, 1, 2, 3, 4, 5, 6, 5000].map((attempt) =>
      backoffMs(attempt, { ...options, random: () => justBelowOne }),
    );
    expect(bounds).toEqual([100, 200, 400, 800, 1600, 3000, 3000, 3000]);
  });

  it("is at least half of the bound", () => {
    const least = [0, 1, 5].map((attempt) => backoffMs(attempt, { ...options, random: () => 0 }));
    expect(least).toEqual([50, 100, 1500]);
  });

  it("grows by the factor that is given", () => {
    expect(backoffMs(2, { firstMs: 10, maxMs: 1000, factor: 3, random: () => justBelowOne })).toBe(90);
  });

  it("lies between half of the bound and the bound, in whole milliseconds, whatever the chance", () => {
    const attempts = fc.integer({ min: 0, max: 2000 });
    const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(attempts, fc.integer({ min: 1, max: 5000 }), chance, (attempt, firstMs, random) => {
        const bound = Math.min(60_000, firstMs * 2 ** attempt);
        const waitMs = backoffMs(attempt, { firstMs, maxMs: 60_000, random: () => random });
        expect(Number.isInteger(waitMs)).toBe(true);
        expect(waitMs).toBeGreaterThanOrEqual(Math.floor(bound / 2));
        expect(waitMs).toBeLessThanOrEqual(bound);
      }),
    );
  });

  it("spreads those that failed together", () => {
    const waits = new Set(Array.from({ length: 200 }, () => backoffMs(10, { firstMs: 1000, maxMs: 1_000_000 })));
    expect(waits.size).toBeGreaterThan(100);
  });
});
