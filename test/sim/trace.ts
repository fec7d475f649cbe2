// Everything observable that happens in a simulation, in order, with its virtual time. Its hash is what two runs of one
// seed are compared by.
import { createHash } from "node:crypto";

export interface Trace {
  add(line: string): void;
  /** Of every line so far. */
  hash(): string;
  readonly lines: readonly string[];
}

export function createTrace(nowMs: () => number, seen?: (line: string) => void): Trace {
  const lines: string[] = [];
  return {
    lines,
    add(text) {
      const line = `${(nowMs() / 1000).toFixed(3).padStart(9)} ${text}`;
      lines.push(line);
      seen?.(line);
    },
    hash: () => createHash("sha256").update(lines.join("\n")).digest("hex"),
  };
}
