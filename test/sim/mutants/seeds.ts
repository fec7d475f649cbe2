// The entry of a bundle: simulates the seeds it is given, one after the other, and says a line of JSON about each. Ends at
// the first violation.
import { simulate } from "../simulate.ts";

/** What is said of one seed. */
export interface Simulated {
  readonly seed: number;
  readonly violations: readonly string[];
}

for (const seed of process.argv.slice(2).map(Number)) {
  const { violations } = await simulate(seed);
  console.log(JSON.stringify({ seed, violations } satisfies Simulated));
  if (violations.length > 0) break;
}
