import { expect, test } from "vitest";
import type { Benchmark } from "../benchmark.ts";
import { parseCommandLine, UsageError, usage } from "../command-line.ts";

const benchmark = (name: string): Benchmark => ({ name, about: `about ${name}`, defaultRuns: 1, run: async () => [] });
const catalogue = [benchmark("start"), benchmark("echo")];

test("without a name every benchmark is chosen, with names those in the catalogue's order", () => {
  expect(parseCommandLine([], catalogue)).toEqual({
    chosen: catalogue,
    json: undefined,
    runs: undefined,
    strict: false,
  });
  expect(parseCommandLine(["echo", "--runs", "3", "--json", "x.json", "--strict"], catalogue)).toEqual({
    chosen: [catalogue[1]],
    json: "x.json",
    runs: 3,
    strict: true,
  });
});

test.each([[["ehco"]], [["--runs", "0"]], [["--runs", "many"]], [["--speed"]]])("refuses %j", (words) => {
  expect(() => parseCommandLine(words, catalogue)).toThrow(UsageError);
});

test("help lists the benchmarks", () => {
  expect(parseCommandLine(["--help"], catalogue)).toBe("help");
  expect(usage(catalogue)).toContain("  start  about start\n  echo   about echo\n");
});
