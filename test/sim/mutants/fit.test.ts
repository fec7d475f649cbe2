// The mutants fit today's sources. Whoever changes a piece of source that a mutant replaces changes the mutant with it, so
// that the bug stays the same bug.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { transform } from "esbuild";
import { expect, test } from "vitest";
import { ROOT } from "./bundle.ts";
import { MUTANTS } from "./catalogue.ts";
import { type Mutant, mutated } from "./mutant.ts";

test("there are twenty mutants or more, each by its own name", () => {
  expect(MUTANTS.length).toBeGreaterThanOrEqual(20);
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
});

test.each(MUTANTS)("$name fits the source as it is today", async (mutant) => {
  for (const file of new Set(mutant.edits.map((edit) => edit.file))) {
    const source = await readFile(join(ROOT, file), "utf8");
    const bug = mutated(mutant, file, source);
    expect(bug).not.toBe(source);
    await transform(bug, { loader: "ts", logLevel: "silent" }); // throws where it is no source any more
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
