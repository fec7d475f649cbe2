// Kills the process at every effect of a scenario, in three ways, and each time plays the scenario to its end on the same
// database: all invariants hold, and what is true in the end is what would have been true without. A point that was not
// reached is an error.

import { createWitness, differences, type Facts } from "./facts.ts";
import { CALM } from "./faults.ts";
import { unsettled } from "./invariants.ts";
import { RESYNC_MS } from "./process.ts";
import { createReaper, MODES, type Point, pointText, type Reaper, type SeenEffect } from "./reaper.ts";
import type { Scenario } from "./scenarios/scenario.ts";
import { userOf } from "./user.ts";
import { simWorld, type World } from "./world.ts";

export interface Play {
  readonly points: readonly Point[];
  readonly lives: readonly (readonly SeenEffect[])[];
  readonly facts: Facts;
  readonly problems: readonly string[];
  /** All that happened. */
  readonly lines: readonly string[];
}

const SEED = 1;
const OBSERVE_MS = 30_000;
const OUTAGE_MS = 3000;
/** Before the story begins, what was given has settled. */
const QUIET_MS = 5000;
const REST_WITHIN_MS = 60 * 60_000;
const RESYNCS = 2;

/**
 * Plays a scenario; its process dies at each of the points, one after the other. `course` is the same play without the
 * last death: it says what the points are, and what the end must be.
 */
export async function play(scenario: Scenario, points: readonly Point[], course?: Play): Promise<Play> {
  const witness = createWitness();
  const reaper = createReaper(points, () => world.clock.monotonic());
  const world: World = simWorld(SEED, undefined, {
    ...witness,
    dies: reaper.dies,
    observeIntervalMs: scenario.observeIntervalMs ?? OBSERVE_MS,
    knobs: scenario.knobs ?? {},
    outageMs: OUTAGE_MS,
  });
  try {
    await perform(scenario, world, reaper);
  } catch (error) {
    world.violations.push(`it came to no end: ${error instanceof Error ? error.message : error}`);
    world.violations.push(...unsettled(world.invariants.objects.values(), world.machines()));
  } finally {
    world.close();
  }
  const facts = witness.facts(world.invariants.objects.values());
  const { lives } = reaper;
  const problems = [...world.violations];
  if (reaper.left > 0) problems.push(`${reaper.left} points were not reached`);
  if (course) {
    problems.push(...misses(course, lives, points.length), ...differences(course.facts, facts, scenario.varies));
  }
  return { points, lives, facts, problems, lines: world.trace.lines };
}

async function perform(scenario: Scenario, world: World, reaper: Reaper): Promise<void> {
  const user = userOf(world);
  world.start();
  await scenario.given?.(user);
  await world.clock.advance(QUIET_MS);
  world.trace.add("the story begins");
  world.ratios = { ...CALM, call: { ...CALM.call, ...scenario.calls } };
  reaper.begin();
  await scenario.story(user);
  await settle(world);
  if (reaper.left > 0) {
    reaper.strikeNext();
    await world.clock.advance(RESYNC_MS);
    await settle(world);
  }
  await rest(world);
}

/** Until nothing is left to do, and a server is there that could; what was decided just now is still written. */
async function settle(world: World): Promise<void> {
  const atEnd = () => world.alive && unsettled(world.invariants.objects.values(), world.machines()).length === 0;
  await world.clock.runUntil(() => {
    world.invariants.tick();
    return world.violations.length > 0 || atEnd();
  }, REST_WITHIN_MS);
  await world.clock.advance(2 * RESYNC_MS);
}

async function rest(world: World): Promise<void> {
  if (world.violations.length > 0) return;
  world.violations.push(...unsettled(world.invariants.objects.values(), world.machines()), ...world.behind());
  const [revision, mutations] = [world.revision(), world.invariants.mutations];
  await world.clock.advance(RESYNCS * RESYNC_MS * 1.1);
  if (world.revision() !== revision) world.violations.push(`L1 ${world.revision() - revision} writes at rest`);
  if (world.invariants.mutations !== mutations) world.violations.push("L1 Fly was asked for changes at rest");
}

/** Until it dies, a process does what it did in the play that told where to strike; otherwise the point was another one. */
function misses(course: Play, lives: Play["lives"], deaths: number): readonly string[] {
  return lives.slice(0, deaths).flatMap((effects, life) => {
    const expected = course.lives[life] ?? [];
    const at = effects.findIndex(({ name, atMs }, index) => {
      const effect = expected[index];
      return effect?.name !== name || effect.atMs !== atMs;
    });
    return at < 0 ? [] : [`effect ${at} of life ${life + 1} is ${effects[at]?.name}, expected ${expected[at]?.name}`];
  });
}

/** The effects of the story itself: what comes after is a sweep, again and again. */
export function effectsOf({ lives }: Play): readonly SeenEffect[] {
  const effects = lives[0] ?? [];
  return effects.slice(0, effects.findLastIndex(({ name }) => name !== "GET list") + 2);
}

export interface Exploration {
  readonly effects: readonly SeenEffect[];
  /** How many points there are. */
  readonly points: number;
  readonly explored: number;
  /** Plays in which the second life died too. */
  readonly doubles: number;
  readonly failed: readonly Play[];
}

export interface Choice {
  /** Which of the points, by their number, of a scenario of so many effects. */
  point(number: number, effects: number): boolean;
  /** After which of them the second life dies as well. */
  double(number: number): boolean;
}

/** The effects of a new process that may be its last, in turn; what follows is as in the first life. */
const SECOND_EFFECTS = 8;

/** Every point, and after each effect a second death. */
export const EVERYTHING: Choice = { point: () => true, double: (number) => number % MODES.length === 1 };

/** The chosen points of a scenario. Where it does not even work undisturbed, that is all there is to say. */
export async function explore(scenario: Scenario, choice: Choice): Promise<Exploration> {
  const reference = await play(scenario, []);
  const effects = effectsOf(reference);
  const all = effects.flatMap((_, effect) => MODES.map((mode): Point => ({ effect, mode })));
  if (reference.problems.length > 0)
    return { effects, points: all.length, explored: 0, doubles: 0, failed: [reference] };
  const failed: Play[] = [];
  let [explored, doubles] = [0, 0];
  for (const [number, point] of all.entries()) {
    if (!choice.point(number, effects.length)) continue;
    const single = await play(scenario, [point], reference);
    explored += 1;
    if (single.problems.length > 0) failed.push(single);
    if (single.problems.length > 0 || !choice.double(number)) continue;
    const second = secondPoint(single, number);
    const double = await play(scenario, [point, second], single);
    doubles += 1;
    if (double.problems.length > 0) failed.push(double);
  }
  return { effects, points: all.length, explored, doubles, failed };
}

/** One of the first effects of the second life, another one and in another way each time. */
function secondPoint({ lives }: Play, number: number): Point {
  const turn = Math.floor(number / MODES.length);
  const effect = turn % Math.min(SECOND_EFFECTS, lives[1]?.length ?? 1);
  return { effect, mode: MODES[turn % MODES.length] ?? "before" };
}

/** The points as the command line takes them, and what came of them. */
export function problemsOf({ points, problems }: Play): string {
  return `--at ${points.map(pointText).join() || "(undisturbed)"}: ${problems.join("; ")}`;
}
