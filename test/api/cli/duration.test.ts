import { describe, expect, test } from "vitest";
import { formatAge, formatElapsed, parseDuration } from "../../../api/cli/duration.ts";
import { parseDuration as serverDuration } from "../../../crds/duration.ts";

test.each(["90s", "1h30m", "500ms", "1.5h", "7d", "", "5", "1x", "s", "-1s"])(
  '"%s" means the same here as on the server',
  (text) => {
    expect(parseDuration(text)).toBe(serverDuration(text));
  },
);

test("0 means no limit", () => {
  expect(parseDuration("0")).toBe(0);
});

describe("how long it took", () => {
  test.each([
    [0, "0.0s"],
    [-5, "0.0s"],
    [1234, "1.2s"],
    [9999, "10.0s"],
    [59_400, "59s"],
    [60_000, "1m0s"],
    [3_600_000, "1h0m"],
    [5_430_000, "1h30m"],
  ])("%d ms is %s", (ms, text) => expect(formatElapsed(ms)).toBe(text));
});

describe("how old it is, as kubectl says it", () => {
  test.each([
    [119, "119s"],
    [120, "2m"],
    [200, "3m20s"],
    [600, "10m"],
    [10_799, "179m"],
    [10_800, "3h"],
    [12_000, "3h20m"],
    [28_800, "8h"],
    [172_799, "47h"],
    [172_800, "2d"],
    [270_000, "3d3h"],
    [691_200, "8d"],
  ])("%d s is %s", (seconds, text) => expect(formatAge(seconds * 1000)).toBe(text));
});
