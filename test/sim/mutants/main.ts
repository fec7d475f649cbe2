// `npm run sim -- --mutants [--only NAME,…] [--seeds N] [--jobs N]`: would the simulator have seen the bugs that peers had?
// Exit code 1 when it misses one.
import { MUTANTS } from "./catalogue.ts";
import { type Hunted, hunt } from "./hunt.ts";

export interface MutantOptions {
  /** Names with commas between them; all when empty. */
  readonly only: string;
  readonly seeds: number;
  readonly jobs: number;
}

/** As shells have it for SIGINT. */
const INTERRUPTED = 130;

export async function huntMutants({ only, seeds, jobs }: MutantOptions): Promise<number> {
  const named = only.split(",");
  const mutants = MUTANTS.filter(({ name }) => only === "" || named.includes(name));
  if (mutants.length === 0)
    throw new Error(`no mutant is called ${only}: ${MUTANTS.map(({ name }) => name).join(", ")}`);
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
  const hunting = hunt({
    mutants,
    signal: stop.signal,
    seeds,
    jobs,
    seconds: () => performance.now() / 1000,
    hunted: (one) => console.log(lineOf(one)),
  });
  const found = await hunting.catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
    return undefined;
  });
  if (!found) return INTERRUPTED;
  const { hunted, control } = found;
  for (const violation of control?.violations ?? []) {
    console.log(`SEED=${control?.seed} violates ${violation}, without any mutant: what it killed is not killed`);
  }
  const missed = hunted.filter(({ problem }) => problem !== undefined).length;
  console.log(`${hunted.length - missed} of ${hunted.length} mutants killed within ${seeds} seeds`);
  return missed > 0 || control ? 1 : 0;
}

function lineOf({ mutant, seen, problem, seconds }: Hunted): string {
  const where = seen ? `at seed ${String(seen.seed).padEnd(4)} ${seen.violations[0]?.slice(0, 100)}` : "";
  const time = `${seconds.toFixed(0)} s`.padStart(6);
  return `${(problem ? "ALIVE" : "killed").padEnd(7)}${mutant.name.padEnd(36)}${time}  ${where}${problem ? ` (${problem})` : ""}`;
}
