import { expect, test } from "vitest";
import { afterSweep, CLOSED } from "../../../controller/reconcilers/breaker.ts";

const ids = (count: number) => Array.from({ length: count }, (_, index) => `m${index}`);

test.each([
  ["three of four are few enough to be an accident", 3, 4, false],
  ["four of four are not", 4, 4, true],
  ["a fifth of a hundred is the most", 20, 100, false],
  ["more than a fifth opens it", 21, 100, true],
])("%s", (_reason, missing, total, open) => {
  expect(afterSweep(CLOSED, ids(missing), total).open).toBe(open);
});

test("a second look that agrees closes it; one that differs keeps it open", () => {
  const first = afterSweep(CLOSED, ids(50), 100);
  expect(afterSweep(first, ids(49), 100).open).toBe(true);
  expect(afterSweep(first, ids(50).reverse(), 100).open).toBe(false);
});
