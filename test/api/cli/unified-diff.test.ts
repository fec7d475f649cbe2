import fc from "fast-check";
import { expect, test } from "vitest";
import { unifiedDiff } from "../../../api/cli/unified-diff.ts";

const NAMES = { before: "a", after: "b" };
const text = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join("");

test("equal texts have no difference", () => {
  expect(unifiedDiff("a\nb\n", "a\nb\n", NAMES)).toBe("");
});

test("shows three lines around a change, and joins changes that are near", () => {
  const before = Array.from({ length: 20 }, (_, index) => String(index + 1));
  const after = before.map((line) => (line === "5" || line === "9" ? `${line}!` : line));
  expect(unifiedDiff(text(before), text(after), NAMES)).toBe(
    `--- a\n+++ b\n@@ -2,11 +2,11 @@\n${[" 2", " 3", " 4", "-5", "+5!", " 6", " 7", " 8", "-9", "+9!", " 10", " 11", " 12"].join("\n")}\n`,
  );
});

test("what was nothing is all new", () => {
  expect(unifiedDiff("", "a\nb\n", NAMES)).toBe("--- a\n+++ b\n@@ -0,0 +1,2 @@\n+a\n+b\n");
});

test("applied to the one text it gives the other", () => {
  const lines = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 30 });
  fc.assert(
    fc.property(lines, lines, (before, after) => {
      const patch = unifiedDiff(text(before), text(after), NAMES);
      expect(patched(before, patch)).toEqual(after);
    }),
  );
});

/** Applies a patch strictly: every line must be where the hunk says it is. */
function patched(before: readonly string[], patch: string): string[] {
  const result: string[] = [];
  let next = 0;
  for (const line of patch.split("\n").slice(2, -1)) {
    const hunk = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@$/.exec(line);
    if (hunk) {
      const start = Number(hunk[1]) - (hunk[2] === "0" ? 0 : 1);
      result.push(...before.slice(next, start));
      expect(result).toHaveLength(Number(hunk[3]) - (hunk[4] === "0" ? 0 : 1));
      next = start;
    } else if (line.startsWith("+")) result.push(line.slice(1));
    else {
      expect(before[next]).toBe(line.slice(1));
      if (line.startsWith(" ")) result.push(line.slice(1));
      next++;
    }
  }
  return [...result, ...before.slice(next)];
}
