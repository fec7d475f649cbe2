// Seeds that every run of the tests simulates, and what a simulation promises: the same seed is the same world.
import { expect, test } from "vitest";
import { simulateMany } from "./many.ts";
import { simulate } from "./simulate.ts";

/** As many as one core simulates in a minute; the long runs are `npm run sim`. */
const SEEDS = 100;
const PATIENCE_MS = 900_000;

test("the same seed gives the same trace, whatever ran before and whoever looks", {
  timeout: PATIENCE_MS,
}, async () => {
  const seen: string[] = [];
  const [once, other, again] = [
    await simulate(7),
    await simulate(8),
    await simulate(7, { seen: (line) => seen.push(line) }),
  ];
  expect(seen).toEqual(once.lines);
  expect(again.hash).toBe(once.hash);
  expect(other.hash).not.toBe(once.hash);
});

test("a seed does not depend on the job that it falls to", { timeout: PATIENCE_MS }, async () => {
  const printed: string[][] = [];
  for (const jobs of [1, 2]) {
    const lines: string[] = [];
    const told = { nowMs: () => 0, progress: () => undefined, print: (line: string) => void lines.push(line) };
    expect(await simulateMany({ from: 1, seeds: 3, jobs, keepGoing: false, ...told })).toBe(0);
    printed.push(lines.slice(0, 2)); // the figures after these are of the jobs
  }
  expect(printed[1]).toEqual(printed[0]);
  expect(printed[0]?.[0]).toMatch(/^3 seeds from 1, 0 with a violation, traces [0-9a-f]{16}$/);
});

test(`no invariant is violated in ${SEEDS} seeds`, { timeout: PATIENCE_MS }, async () => {
  const lines: string[] = [];
  const told = { nowMs: () => 0, progress: () => undefined, print: (line: string) => void lines.push(line) };
  await simulateMany({ from: 1, seeds: SEEDS, jobs: 1, keepGoing: true, ...told });
  expect(lines.filter((line) => line.includes(" violates "))).toEqual([]);
  expect(lines.find((line) => line.startsWith(`${SEEDS} seeds from 1, 0 with a violation`))).toBeDefined();
});
