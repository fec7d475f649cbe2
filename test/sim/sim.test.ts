// Seeds that every run of the tests simulates, and what a simulation promises: the same seed is the same world.
import { expect, test } from "vitest";
import { simulate } from "./simulate.ts";

/** As many as take some ten seconds; the long runs are `npm run sim`. */
const SEEDS = 12;
const PATIENCE_MS = 180_000;

test("the same seed gives the same trace, another one another", { timeout: PATIENCE_MS }, async () => {
  const [once, again, other] = [await simulate(7), await simulate(7), await simulate(8)];
  expect(again.hash).toBe(once.hash);
  expect(other.hash).not.toBe(once.hash);
});

test(`no invariant is violated in ${SEEDS} seeds`, { timeout: PATIENCE_MS }, async () => {
  const violations: string[] = [];
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const verdict = await simulate(seed);
    violations.push(...verdict.violations.map((each) => `SEED=${seed} npm run sim: ${each}`));
  }
  expect(violations).toEqual([]);
});
