// What is left of a verdict when its many lines are not: the last of them, if something was violated.
import { simulate, type Verdict } from "./simulate.ts";

export interface Outcome extends Omit<Verdict, "lines"> {
  readonly events: number;
  readonly lastLines: readonly string[];
}

const LAST_EVENTS = 60;

export async function outcomeOf(seed: number, seen?: (line: string) => void): Promise<Outcome> {
  const { lines, ...verdict } = await simulate(seed, seen && { seen });
  const lastLines = verdict.violations.length === 0 || seen ? [] : lines.slice(-LAST_EVENTS);
  return { ...verdict, events: lines.length, lastLines };
}

export function report({ seed, violations, lastLines, events, hash }: Outcome, print: (line: string) => void): void {
  for (const line of lastLines) print(line);
  for (const violation of violations) print(`SEED=${seed} violates ${violation}`);
  print(`seed ${seed}: ${events} events, trace ${hash.slice(0, 16)}, ${violations.length} violations`);
}
