import { expect, it } from "vitest";
import { Gate } from "../src/index.ts";

it("lets so many run at a time, in the order of their arrival, also after one that failed", async () => {
  const gate = new Gate(2);
  const begun: number[] = [];
  const ends = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
  const runs = ends.map(({ promise }, index) =>
    gate.run(async () => {
      begun.push(index);
      await promise;
      return index;
    }),
  );
  const settled = Promise.allSettled(runs);
  expect(begun).toEqual([0, 1]);
  expect(gate.length).toBe(4);
  ends[1]?.reject(new Error("failed"));
  await expect(runs[1]).rejects.toThrow("failed");
  const late = gate.run(async () => begun.push(4));
  for (const { resolve } of ends) resolve();
  expect((await settled).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
  await late;
  expect(begun).toEqual([0, 1, 2, 3, 4]);
  expect(gate.length).toBe(0);
});
