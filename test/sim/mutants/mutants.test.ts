// The mutants themselves: each still fits today's sources, and a few that are seen soon are hunted for real.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT } from "./bundle.ts";
import { MUTANTS } from "./catalogue.ts";
import { hunt } from "./hunt.ts";
import { type Mutant, mutated } from "./mutant.ts";

/** Seen at the first seeds, by different invariants. */
const QUICK = ["empty-list-trusted", "one-404-believed"];
const PATIENCE_MS = 180_000;

describe("the catalogue", () => {
  test("names are unique", () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  });

  test.each(MUTANTS)("$name fits the source as it is today", async (mutant) => {
    for (const file of new Set(mutant.edits.map((edit) => edit.file))) {
      const source = await readFile(join(ROOT, file), "utf8");
      expect(mutated(mutant, file, source)).not.toBe(source);
    }
  });

  test("a mutant whose piece of source has changed is an error", () => {
    const mutant: Mutant = {
      name: "late",
      bug: "",
      peer: "",
      breaks: [],
      edits: [{ file: "a.ts", find: "x = 1", replace: "x = 2" }],
    };
    expect(() => mutated(mutant, "a.ts", "x = 3")).toThrow("stale mutant late: its piece of a.ts occurs 0 times");
    expect(() => mutated(mutant, "a.ts", "x = 1; x = 1")).toThrow("occurs 2 times");
  });
});

test("mutants are seen by the invariants that they break, and without them nothing is", {
  timeout: PATIENCE_MS,
}, async () => {
  const mutants = MUTANTS.filter(({ name }) => QUICK.includes(name));
  const { signal } = new AbortController();
  const options = { mutants, seeds: 3, jobs: 1, signal, seconds: () => 0, hunted: () => undefined };
  const { hunted, control } = await hunt(options);
  expect(hunted.map(({ mutant, problem }) => [mutant.name, problem])).toEqual(QUICK.map((name) => [name, undefined]));
  expect(control).toBeUndefined();
});
