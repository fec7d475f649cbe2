// `npm run sim -- --seeds N --from S` runs many seeds; `SEED=… npm run sim` replays one and prints all that happens;
// `npm run sim -- --crash-points` kills the process at every effect of each scenario;
// `npm run sim -- --mutants` looks whether bugs that are put in are found.
import { reportCrashPoints } from "./crash-report.ts";
import { huntMutants } from "./mutants/main.ts";
import { simulate, type Verdict } from "./simulate.ts";

const LAST_EVENTS = 60;

async function replay(seed: number): Promise<number> {
  const verdict = await simulate(seed, { seen: (line) => console.log(line) });
  report(verdict, 0);
  return verdict.violations.length === 0 ? 0 : 1;
}

/** Stops at the first violation, unless told to go on and only name them. */
async function many(from: number, seeds: number, keepGoing: boolean): Promise<number> {
  const began = performance.now();
  let failed = 0;
  for (let seed = from; seed < from + seeds; seed += 1) {
    const verdict = await simulate(seed);
    if (verdict.violations.length === 0) continue;
    report(verdict, keepGoing ? 0 : LAST_EVENTS);
    if (!keepGoing) return 1;
    failed += 1;
  }
  const seconds = (performance.now() - began) / 1000;
  console.log(`${seeds} seeds from ${from}, ${failed} with a violation, ${(seeds / seconds).toFixed(1)} seeds/s`);
  return failed === 0 ? 0 : 1;
}

function report({ seed, violations, lines, hash }: Verdict, events: number): void {
  for (const line of lines.slice(lines.length - events)) console.log(line);
  for (const violation of violations) console.log(`SEED=${seed} violates ${violation}`);
  console.log(`seed ${seed}: ${lines.length} events, trace ${hash.slice(0, 16)}, ${violations.length} violations`);
}

function option(name: string, fallback: number): number {
  const at = process.argv.indexOf(`--${name}`);
  const value = at < 0 ? fallback : Number(process.argv[at + 1]);
  if (!Number.isInteger(value)) throw new TypeError(`--${name} wants a whole number`);
  return value;
}

function text(name: string): string {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? "" : (process.argv[at + 1] ?? "");
}

async function main(): Promise<number> {
  const { SEED } = process.env;
  if (process.argv.includes("--crash-points"))
    return reportCrashPoints(text("scenario"), text("at"), () => performance.now());
  if (process.argv.includes("--mutants"))
    return huntMutants({ only: text("only"), seeds: option("seeds", 200), jobs: option("jobs", 2) });
  if (SEED !== undefined) return replay(Number(SEED));
  return many(option("from", 1), option("seeds", 100), process.argv.includes("--keep-going"));
}

process.exitCode = await main();
