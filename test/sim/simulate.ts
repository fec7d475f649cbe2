// One seed from its beginning to its verdict: users work in a storm, then everything heals, and then the system has so
// long to come to rest and stays there.
import { heal } from "./blows.ts";
import { CALM, pick, STORM } from "./faults.ts";
import { unsettled } from "./invariants.ts";
import { firstOperations, mendings, newMemory, nextOperations } from "./workload.ts";
import { simWorld, type World } from "./world.ts";

export interface Verdict {
  readonly seed: number;
  readonly hash: string;
  readonly violations: readonly string[];
  readonly lines: readonly string[];
  /** Of users. */
  readonly operations: number;
  readonly virtualMs: number;
}

export interface SimulateOptions {
  readonly operations?: number;
  /** Each line of the trace, as it happens. */
  readonly seen?: (line: string) => void;
}

export const OPERATIONS = 200;
/** Between two operations, at most: users in one world are hasty, and fall over each other; in another they let things end. */
const PAUSE_MAX_MS = [500, 1500, 6000];
/** What the last operations began goes wrong as well. */
const STORM_TAIL_MS = 20_000;
/** After the healing: what is longest is a run that waits a quarter of an hour for its instance, and its retries. */
const REST_WITHIN_MS = 60 * 60_000;
const REST_STEP_MS = 10_000;
/** What was decided just now is still written: a sweep, and the wait for Fly that a change set off. */
const REST_SETTLE_MS = 60_000;
/** So often that ten of them are simulated in minutes. */
const REST_RESYNC_MS = 10_000;
const RESYNCS = 10;

export async function simulate(seed: number, options: SimulateOptions = {}): Promise<Verdict> {
  const world = simWorld(seed, options.seen);
  let operations = 0;
  try {
    operations = await storm(world, options.operations ?? OPERATIONS);
    if (world.violations.length === 0) await calm(world);
    if (world.violations.length === 0) await rest(world);
  } finally {
    world.close();
  }
  const { trace, violations, clock } = world;
  return { seed, hash: trace.hash(), violations, lines: trace.lines, operations, virtualMs: clock.monotonic() };
}

/** Answers how many operations there were. */
async function storm(world: World, operations: number): Promise<number> {
  const { random, clock } = world;
  world.start();
  await clock.settle();
  for (const operation of firstOperations(random)) void world.operate(operation);
  world.ratios = STORM;
  const pauseMaxMs = pick(random, PAUSE_MAX_MS);
  const memory = newMemory();
  let serial = 0;
  while (serial < operations && world.violations.length === 0) {
    for (const operation of nextOperations(random, serial, memory)) {
      void world.operate(operation);
      serial += 1;
    }
    world.strike();
    await clock.advance(random.next() ** 2 * pauseMaxMs);
    world.invariants.tick();
  }
  await clock.advance(STORM_TAIL_MS);
  world.invariants.tick();
  return serial;
}

/** Everything heals; in bounded time everything is as it should be. */
async function calm(world: World): Promise<void> {
  world.trace.add("calm");
  world.ratios = CALM;
  heal(world);
  world.invariants.healed();
  const untilMs = world.clock.monotonic() + REST_WITHIN_MS;
  for (;;) {
    for (const operation of mendings(world.invariants.objects.values())) void world.operate(operation);
    await world.clock.advance(REST_STEP_MS);
    world.invariants.tick();
    const left = unsettled(world.invariants.objects.values(), world.machines());
    if ((left.length === 0 && world.alive) || world.violations.length > 0) return;
    if (world.clock.monotonic() < untilMs) continue;
    world.violations.push(...left);
    return;
  }
}

/** Nothing is left to do, so nothing is done, not even by a process that remembers nothing of what was. */
async function rest(world: World): Promise<void> {
  world.trace.add("rest");
  await world.clock.advance(REST_SETTLE_MS);
  world.violations.push(...world.behind(), ...world.invariants.owed());
  const revision = world.revision();
  world.succeed(REST_RESYNC_MS);
  await world.clock.advance(REST_SETTLE_MS);
  const mutations = world.invariants.mutations;
  await world.clock.advance(RESYNCS * REST_RESYNC_MS * 1.1);
  if (world.revision() !== revision) world.violations.push(`L1 ${world.revision() - revision} writes at rest`);
  if (world.invariants.mutations !== mutations) world.violations.push("L1 Fly was asked for changes at rest");
}
