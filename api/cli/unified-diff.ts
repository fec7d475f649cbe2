// What differs between two texts, line by line, in the form of `diff -u`. By the longest common subsequence: the texts
// are manifests of some hundred lines.

const CONTEXT = 3;

type Edit = { readonly sign: " " | "-" | "+"; readonly line: string };

/** Empty when the texts are equal. */
export function unifiedDiff(
  before: string,
  after: string,
  names: { readonly before: string; readonly after: string },
): string {
  const edits = editsBetween(linesOf(before), linesOf(after));
  const hunks = hunksOf(edits);
  if (hunks.length === 0) return "";
  return `--- ${names.before}\n+++ ${names.after}\n${hunks.join("")}`;
}

function linesOf(text: string): readonly string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

function editsBetween(a: readonly string[], b: readonly string[]): readonly Edit[] {
  // lengths[i][j]: how long the common subsequence of a from i and b from j is.
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  const at = (i: number, j: number) => lengths[i]?.[j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    const row = lengths[i];
    for (let j = b.length - 1; row && j >= 0; j--) {
      row[j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const edits: Edit[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const [left, right] = [a[i], b[j]];
    if (left !== undefined && left === right) {
      edits.push({ sign: " ", line: left });
      i++;
      j++;
    } else if (left !== undefined && (right === undefined || at(i + 1, j) >= at(i, j + 1))) {
      edits.push({ sign: "-", line: left });
      i++;
    } else {
      edits.push({ sign: "+", line: right ?? "" });
      j++;
    }
  }
  return edits;
}

/** Changes that are near each other share a hunk. */
function hunksOf(edits: readonly Edit[]): string[] {
  const changed = edits.flatMap(({ sign }, index) => (sign === " " ? [] : [index]));
  const spans: { from: number; to: number }[] = [];
  for (const index of changed) {
    const last = spans.at(-1);
    if (last && index - CONTEXT <= last.to + 1) last.to = index + CONTEXT;
    else spans.push({ from: Math.max(0, index - CONTEXT), to: index + CONTEXT });
  }
  return spans.map(({ from, to }) => {
    const body = edits.slice(from, to + 1);
    const old = range(edits.slice(0, from), body, "+");
    const now = range(edits.slice(0, from), body, "-");
    return `@@ -${old} +${now} @@\n${body.map(({ sign, line }) => `${sign}${line}\n`).join("")}`;
  });
}

/** `start,count` of a side; `other` marks the lines that are not on it. An empty side starts at the line before. */
function range(preceding: readonly Edit[], body: readonly Edit[], other: "-" | "+"): string {
  const count = body.filter(({ sign }) => sign !== other).length;
  const start = preceding.filter(({ sign }) => sign !== other).length + (count === 0 ? 0 : 1);
  return count === 1 ? String(start) : `${start},${count}`;
}
