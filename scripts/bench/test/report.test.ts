import { expect, test } from "vitest";
import { isMet, type Measurement } from "../benchmark.ts";
import { allMet, jsonReport, type Outcome, table } from "../report.ts";

const echo: Measurement = {
  name: "p50",
  unit: "ms",
  value: 0.8,
  floor: 0.5,
  ratio: 1.6,
  goal: { kind: "ratio", atMost: 1.5 },
  details: { value: [0.8] },
};
const start: Measurement = {
  name: "second",
  unit: "ms",
  value: 1234.5,
  goal: { kind: "value", atMost: 3000 },
  details: {},
};

test("a goal of a ratio is held against the ratio, a goal of a value against the value", () => {
  expect(isMet(echo)).toBe(false);
  expect(isMet({ ...echo, ratio: 1.5 })).toBe(true);
  expect(isMet({ ...echo, ratio: 0.89, goal: { kind: "ratio", atLeast: 0.9 } })).toBe(false);
  expect(isMet({ ...echo, ratio: 0.9, goal: { kind: "ratio", atLeast: 0.9 } })).toBe(true);
  expect(isMet(start)).toBe(true);
  expect(isMet({ name: "p99", unit: "ms", value: 1, details: {} })).toBeUndefined();
});

test("the table has a line a measurement, and names a benchmark that failed", () => {
  const outcomes: Outcome[] = [
    { benchmark: "echo", measurements: [echo] },
    { benchmark: "start", measurements: [start] },
    { benchmark: "create", error: "no container" },
  ];
  const lines = table(outcomes).split("\n");
  expect(lines[1]).toMatch(/^echo: p50 +0\.800 ms +0\.500 ms +1\.60x +<= 1\.5x +NO$/);
  expect(lines[2]).toMatch(/^start: second +1235 ms +<= 3000 ms +yes$/);
  expect(lines[3]).toMatch(/^create +failed +no$/);
  expect(allMet(outcomes)).toBe(false);
  expect(allMet([{ benchmark: "start", measurements: [start] }])).toBe(true);
});

test("the report for programs says what was met", () => {
  const report: unknown = JSON.parse(jsonReport(new Date(0), [{ benchmark: "echo", measurements: [echo] }]));
  expect(report).toMatchObject({
    startedAt: "1970-01-01T00:00:00.000Z",
    results: [{ benchmark: "echo", measurements: [{ name: "p50", met: false, details: { value: [0.8] } }] }],
  });
});
