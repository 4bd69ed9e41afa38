import { expect, test } from "vitest";
import type { Benchmark, Measurement } from "../benchmark.ts";
import { runAll } from "../run.ts";

const figure: Measurement = { name: "speed", unit: "ms", value: 1, details: {} };
const never = new AbortController().signal;

function benchmark(name: string, run: Benchmark["run"]): Benchmark {
  return { name, about: "", defaultRuns: 5, run };
}

test("each benchmark runs as often as asked for, and what it made is gone before the next", async () => {
  const seen: string[] = [];
  const one = benchmark("one", async ({ runs, scope }) => {
    scope.add(() => void seen.push("one disposed"));
    seen.push(`one runs ${runs}`);
    return [figure];
  });
  const other = benchmark("other", async ({ runs }) => {
    seen.push(`other runs ${runs}`);
    return [];
  });
  const outcomes = await runAll({ chosen: [one, other], runs: undefined }, never, () => {});
  expect(seen).toEqual(["one runs 5", "one disposed", "other runs 5"]);
  expect(outcomes).toEqual([
    { benchmark: "one", measurements: [figure] },
    { benchmark: "other", measurements: [] },
  ]);
});

test("a benchmark that fails is told, and the others run", async () => {
  const failing = benchmark("failing", async () => {
    throw new Error("no luck");
  });
  const fine = benchmark("fine", async () => [figure]);
  const outcomes = await runAll({ chosen: [failing, fine], runs: 1 }, never, () => {});
  expect(outcomes[0]).toMatchObject({ benchmark: "failing", error: expect.stringContaining("no luck") });
  expect(outcomes[1]).toMatchObject({ benchmark: "fine" });
});

test("an interruption disposes what the running benchmark made, and begins no other", async () => {
  const interruption = new AbortController();
  let disposed = false;
  const endless = benchmark("endless", ({ scope }) => {
    return new Promise((_, reject) => {
      scope.add(() => {
        disposed = true;
        reject(new Error("its process is gone"));
      });
      setImmediate(() => interruption.abort(new Error("SIGINT")));
    });
  });
  const other = benchmark("other", async () => [figure]);
  expect(await runAll({ chosen: [endless, other], runs: 1 }, interruption.signal, () => {})).toEqual([]);
  expect(disposed).toBe(true);
});
