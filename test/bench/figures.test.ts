import { describe, expect, test } from "vitest";
import { inSeries, median, percentile } from "./figures.ts";

describe("percentile", () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);

  test.each([
    { share: 0.5, expected: 50, reason: "half of a hundred values are at most the fiftieth" },
    { share: 0.99, expected: 99, reason: "one in a hundred is above it" },
    { share: 1, expected: 100, reason: "nothing is above the largest" },
    { share: 0, expected: 1, reason: "there is no value below the smallest" },
  ])("$share of 1 to 100 is $expected: $reason", ({ share, expected }) => {
    expect(percentile(hundred, share)).toBe(expected);
  });

  test("a single slow one of two hundred is not the 99th percentile, two and a half are", () => {
    const fast = Array.from({ length: 197 }, () => 1);
    expect(percentile([...fast, 1, 1, 1000], 0.99)).toBe(1);
    expect(percentile([...fast, 1000, 1000, 1000], 0.99)).toBe(1000);
  });

  test("nothing measured is no figure", () => {
    expect(() => percentile([], 0.5)).toThrow(RangeError);
  });
});

describe("median", () => {
  test("is the middle of an odd number, and between the middle two of an even one", () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([9, 1, 5, 6])).toBe(5.5);
  });
});

test("two equal rates in series halve", () => {
  expect(inSeries(20_000, 20_000)).toBeCloseTo(10_000);
});
