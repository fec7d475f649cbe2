// Many seeds, on as many cores as are asked for. A seed's verdict does not depend on the job that it falls to: the digest
// of all traces is the same however many jobs there are.
import { createHash } from "node:crypto";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { bundle, ROOT } from "./mutants/bundle.ts";
import { type Outcome, report } from "./outcome.ts";

export interface Many {
  readonly from: number;
  readonly seeds: number;
  readonly jobs: number;
  /** Goes on after a violation, and only names it. */
  readonly keepGoing: boolean;
  nowMs(): number;
  /** Every few seconds of a long run. */
  progress(line: string): void;
  /** What is there to stay: violations, and the figures at the end. */
  print(line: string): void;
}

/** A seed leaves much behind at once: with a large nursery little of it is ever moved. A tenth of the time. */
const YOUNG = { maxYoungGenerationSizeMb: 192 };
const PROGRESS_MS = 2000;

/** Answers the exit code. */
export async function simulateMany(many: Many): Promise<number> {
  const { from, seeds, keepGoing, print } = many;
  const jobs = Math.max(1, Math.min(many.jobs, seeds));
  const beganMs = many.nowMs();
  const outcomes = new Map<number, Outcome>();
  let [taken, failed, shownMs] = [0, 0, beganMs];

  function next(): number | undefined {
    if (taken === seeds || (failed > 0 && !keepGoing)) return undefined;
    taken += 1;
    return from + taken - 1;
  }

  function took(outcome: Outcome): void {
    outcomes.set(outcome.seed, outcome);
    if (outcome.violations.length > 0) {
      failed += 1;
      report(keepGoing ? { ...outcome, lastLines: [] } : outcome, print);
    }
    const nowMs = many.nowMs();
    if (nowMs - shownMs < PROGRESS_MS) return;
    shownMs = nowMs;
    many.progress(`${outcomes.size} of ${seeds} seeds, ${failed} with a violation, ${speed()}`);
  }

  const speed = () => `${((outcomes.size * 1000) / (many.nowMs() - beganMs) / jobs).toFixed(1)} seeds/s a core`;
  await spread(jobs, next, took);

  const all = [...outcomes.values()].sort((a, b) => a.seed - b.seed);
  const sum = (of: (outcome: Outcome) => number) => all.reduce((total, outcome) => total + of(outcome), 0);
  const traces = createHash("sha256").update(all.map(({ hash }) => hash).join("\n"));
  print(`${all.length} seeds from ${from}, ${failed} with a violation, traces ${traces.digest("hex").slice(0, 16)}`);
  print(`${sum(({ operations }) => operations)} operations, ${sum(({ events }) => events)} events`);
  print(`${duration(sum(({ virtualMs }) => virtualMs))} of virtual time in ${duration(many.nowMs() - beganMs)}`);
  print(`${jobs} jobs, ${speed()}`);
  return failed === 0 ? 0 : 1;
}

type Next = () => number | undefined;
type Took = (outcome: Outcome) => void;

async function spread(jobs: number, next: Next, took: Took): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "flywheel-sim-"));
  const workers: Worker[] = [];
  try {
    await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
    const program = join(folder, "seeds.mjs");
    await bundle(undefined, program, "test/sim/seed-worker.ts");
    for (let job = 0; job < jobs; job += 1) workers.push(new Worker(program, { resourceLimits: YOUNG }));
    await Promise.all(workers.map((worker) => feed(worker, next, took)));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
    await rm(folder, { recursive: true, force: true });
  }
}

/** One seed at a time, until there is none. */
function feed(worker: Worker, next: Next, took: Took): Promise<void> {
  return new Promise((resolve, reject) => {
    function send(): void {
      const seed = next();
      if (seed === undefined) resolve();
      else worker.postMessage(seed);
    }
    worker.on("error", reject);
    worker.on("message", (outcome: Outcome) => {
      took(outcome);
      send();
    });
    send();
  });
}

function duration(ms: number): string {
  return ms < 100_000 ? `${(ms / 1000).toFixed(1)} s` : `${(ms / 3_600_000).toFixed(2)} h`;
}
