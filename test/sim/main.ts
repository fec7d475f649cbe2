// `npm run sim -- --seeds N --from S --jobs J` runs many seeds; `SEED=… npm run sim` replays one and prints all that happens;
// `npm run sim -- --crash-points` kills the process at every effect of each scenario;
// `npm run sim -- --spec-walk` walks over every field of every spec;
// `npm run sim -- --mutants` looks whether bugs that are put in are found.

import { availableParallelism } from "node:os";
import { reportCrashPoints } from "./crash-report.ts";
import { simulateMany } from "./many.ts";
import { huntMutants } from "./mutants/main.ts";
import { outcomeOf, report } from "./outcome.ts";
import { reportSpecWalk } from "./spec-walk-report.ts";

const print = (line: string) => console.log(line);

async function replay(seed: number): Promise<number> {
  const outcome = await outcomeOf(seed, print);
  report(outcome, print);
  return outcome.violations.length === 0 ? 0 : 1;
}

/** Stops at the first violation, unless told to go on and only name them. */
function many(): Promise<number> {
  return simulateMany({
    from: option("from", 1),
    seeds: option("seeds", 100),
    jobs: option("jobs", availableParallelism()),
    keepGoing: process.argv.includes("--keep-going"),
    nowMs: () => performance.now(),
    ...screen(process.stdout),
  });
}

/** A terminal has one line of progress, which is written over; elsewhere each is a line. */
function screen(out: NodeJS.WriteStream) {
  if (!out.isTTY) return { print, progress: print };
  return {
    print: (line: string) => void out.write(`\r\u001b[K${line}\n`),
    progress: (line: string) => void out.write(`\r\u001b[K${line}`),
  };
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
  if (process.argv.includes("--spec-walk")) return reportSpecWalk(() => performance.now());
  if (process.argv.includes("--mutants"))
    return huntMutants({
      only: text("only"),
      seeds: option("seeds", 200),
      jobs: option("jobs", availableParallelism()),
    });
  return SEED === undefined ? many() : replay(Number(SEED));
}

process.exitCode = await main();
