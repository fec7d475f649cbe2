// Every mutant in its own bundle, simulated until an invariant sees it. A kill counts only where the same seed, from a
// bundle without a mutant, violates nothing.
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf } from "../../../controller/kernel/errors.ts";
import { bundle, ROOT } from "./bundle.ts";
import type { Mutant } from "./mutant.ts";
import { runSeeds } from "./run-seeds.ts";
import type { Simulated } from "./seeds.ts";

export interface Hunted {
  readonly mutant: Mutant;
  /** What saw it; undefined when it survived all seeds. */
  readonly seen: Simulated | undefined;
  /** Why this is no kill. */
  readonly problem?: string | undefined;
  readonly seconds: number;
}

export interface HuntOptions {
  readonly mutants: readonly Mutant[];
  /** At most, for each. */
  readonly seeds: number;
  /** Bundles that run at the same time. */
  readonly jobs: number;
  /** A clock for how long things take. */
  seconds(): number;
  /** Ends everything that was started, and removes the bundles. */
  readonly signal: AbortSignal;
  hunted(one: Hunted): void;
}

export interface Hunt {
  readonly hunted: readonly Hunted[];
  /** What the seeds that killed show without a mutant: must be undefined. */
  readonly control: Simulated | undefined;
}

export async function hunt(options: HuntOptions): Promise<Hunt> {
  const folder = await mkdtemp(join(tmpdir(), "flywheel-mutants-"));
  const stop = new AbortController(); // also when one job of several has failed
  const signal = AbortSignal.any([stop.signal, options.signal]);
  try {
    await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
    const queue = [...options.mutants];
    const hunted: Hunted[] = [];
    const work = async () => {
      for (let mutant = queue.shift(); mutant; mutant = queue.shift()) {
        const one = await huntOne(mutant, folder, options, signal);
        hunted.push(one);
        options.hunted(one);
      }
    };
    await Promise.all(Array.from({ length: options.jobs }, work));
    const control = join(folder, "control.mjs");
    await bundle(undefined, control);
    const killers = [...new Set(hunted.flatMap(({ seen }) => seen?.seed ?? []))].sort((a, b) => a - b);
    return { hunted, control: await runSeeds(control, killers, signal) };
  } finally {
    stop.abort();
    await rm(folder, { recursive: true, force: true });
  }
}

async function huntOne(
  mutant: Mutant,
  folder: string,
  { seeds, seconds }: HuntOptions,
  signal: AbortSignal,
): Promise<Hunted> {
  const began = seconds();
  const file = join(folder, `${mutant.name}.mjs`);
  const all = Array.from({ length: seeds }, (_, index) => index + 1);
  try {
    await bundle(mutant, file);
    const seen = await runSeeds(file, all, signal);
    return { mutant, seen, problem: problemOf(mutant, seen), seconds: seconds() - began };
  } catch (error) {
    if (signal.aborted) throw error;
    return { mutant, seen: undefined, problem: messageOf(error), seconds: seconds() - began };
  }
}

function problemOf({ breaks }: Mutant, seen: Simulated | undefined): string | undefined {
  if (!seen) return "survived";
  const names = seen.violations.map((each) => each.split(/[ :]/)[0]);
  return breaks.some((each) => names.includes(each)) ? undefined : `is expected to break ${breaks.join(" or ")}`;
}
