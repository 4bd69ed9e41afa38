import { expect, test } from "vitest";
import { median, medianRatio, percentile } from "../statistics.ts";

test("a median is the value in the middle, whatever the order", () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(median([7])).toBe(7);
});

test("a percentile lies between its neighbours, and its ends are the extremes", () => {
  const values = [10, 20, 30, 40, 50];
  expect(percentile(values, 0)).toBe(10);
  expect(percentile(values, 1)).toBe(50);
  expect(percentile(values, 0.25)).toBe(20);
  expect(percentile(values, 0.9)).toBeCloseTo(46);
});

test("statistics leave their values in order, and have no answer to none", () => {
  const values = [3, 1, 2];
  median(values);
  expect(values).toEqual([3, 1, 2]);
  expect(() => median([])).toThrow("no values");
});

test("a ratio is taken pair by pair, so that one slow pair does not decide it", () => {
  const pairs = [
    { value: 2, floor: 1 },
    { value: 20, floor: 10 },
    { value: 6, floor: 2 },
  ];
  expect(medianRatio(pairs)).toBe(2);
});
