import { expect, test } from "vitest";
import { formatDuration, parseDuration } from "../../crds/duration.ts";

test.each([
  ["250ms", 250],
  ["90s", 90_000],
  ["1h30m", 5_400_000],
  ["1.5h", 5_400_000],
  ["7d", 604_800_000],
])("%s is %d ms", (text, ms) => expect(parseDuration(text)).toBe(ms));

test.each(["", "5", "1h30", "-1s", "1 h", "h"])("%j is no duration", (text) =>
  expect(parseDuration(text)).toBeUndefined(),
);

test("formatting gives back what it was made from", () => {
  for (const text of ["0s", "250ms", "1m30s", "1h30m", "7d", "1d2h3m4s5ms"])
    expect(formatDuration(parseDuration(text) ?? -1)).toBe(text);
});
