// A few mutants that are seen soon, hunted for real; `npm run sim -- --mutants` hunts all.
import { expect, test } from "vitest";
import { MUTANTS } from "./catalogue.ts";
import { hunt } from "./hunt.ts";

/** Seen in nearly every seed, by six different invariants. */
const QUICK = [
  "failed-run-not-cleaned-up",
  "parameters-in-a-message",
  "status-rewritten",
  "step-sent-before-commit",
  "deletion-taken-back",
  "watch-coalesces",
];
const PATIENCE_MS = 180_000;

test("mutants are seen by the invariants that they break, and without them nothing is", {
  timeout: PATIENCE_MS,
}, async () => {
  const mutants = MUTANTS.filter(({ name }) => QUICK.includes(name));
  const { signal } = new AbortController();
  const options = { mutants, seeds: 20, jobs: 1, signal, seconds: () => 0, hunted: () => undefined };
  const { hunted, control } = await hunt(options);
  expect(hunted.map(({ mutant, problem }) => problem ?? mutant.name).sort()).toEqual([...QUICK].sort());
  expect(control).toBeUndefined();
});
