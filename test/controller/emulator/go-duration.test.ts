import { expect, test } from "vitest";
import { formatGoDuration, parseGoDuration } from "../../../controller/emulator/go-duration.ts";

test.each([
  ["10s", 10_000],
  ["1m30s", 90_000],
  ["1h0m0.5s", 3_600_500],
  ["250ms", 250],
  ["0", 0],
  [5_000_000_000, 5000],
  ["", undefined],
  ["10", undefined],
  ["-1s", undefined],
  [null, undefined],
])("%o is %o ms", (value, ms) => {
  expect(parseGoDuration(value)).toBe(ms);
});

test.each([
  [0, "0s"],
  [250, "250ms"],
  [10_000, "10s"],
  [90_000, "1m30s"],
  [3_600_500, "1h0m0.5s"],
])("%i ms are written %s, and read again", (ms, text) => {
  expect(formatGoDuration(ms)).toBe(text);
  expect(parseGoDuration(text)).toBe(ms);
});
