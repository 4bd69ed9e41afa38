import { expect, it } from "vitest";
import { garbageCollection } from "../src/node/garbage-collection.ts";

const mebibyte = 1024 * 1024;

it("has V8 give back all that is garbage", async () => {
  const collect = garbageCollection("all");
  const garbage = new WeakRef({ lines: Array.from({ length: 1000 }, (_, index) => ({ index })) });
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  expect(garbage.deref() === undefined).toBe(true);
});

it("has it free buffers that were just used, without a look at what is old", async () => {
  const collect = garbageCollection("young");
  collect();
  const before = process.memoryUsage().arrayBuffers;
  for (let count = 0; count < 16; count += 1) Buffer.alloc(mebibyte);
  expect(process.memoryUsage().arrayBuffers).toBeGreaterThan(before + 8 * mebibyte);
  collect();
  await expect.poll(() => process.memoryUsage().arrayBuffers).toBeLessThan(before + 4 * mebibyte);
});
