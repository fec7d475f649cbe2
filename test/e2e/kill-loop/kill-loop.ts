// Real servers on one database, each killed with -9 under load at a moment that a seed chooses, or stopped and continued,
// while the emulator lives on as a process of its own and commands go over real SSH. In the end all that was ever
// acknowledged, seen or begun is compared with what is there.
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "../../../controller/kernel/json.ts";
import { type Random, seededRandom } from "../../../controller/kernel/random.ts";
import { KINDS } from "../../../crds/kinds.ts";
import { type WorkflowRun, workflowRunKind } from "../../../crds/workflow-run.ts";
import { startEmulator, type TestEmulator } from "../emulator.ts";
import { type Program, until } from "../program.ts";
import { startServer, type TestServer } from "../server.ts";
import { load, STAYING } from "./clients.ts";
import { NAMESPACED, openDoor } from "./door.ts";
import { historyProblems } from "./history.ts";
import { createLedger, type Ledger } from "./ledger.ts";
import { machinesMade } from "./machines-made.ts";
import { type Marks, openMarks } from "./marks.ts";
import { type AtRest, attemptProblems, commandProblems, doubledMachines, unrest } from "./rest.ts";
import { type Watcher, watchKind } from "./watcher.ts";

export interface KillLoopOptions {
  readonly seed: number;
  readonly kills: number;
  /** The server is stopped and continued so often instead, spread over the kills. */
  readonly pauses?: number;
  readonly pauseMs?: number;
  /** How long everything may take to come to rest. */
  readonly restMs: number;
  /** One line at each blow. */
  progress?(line: string): void;
}

export interface KillLoopResult {
  readonly seed: number;
  readonly kills: number;
  readonly pauses: number;
  readonly acknowledged: number;
  readonly unknown: number;
  readonly runs: number;
  readonly attempts: number;
  readonly commands: number;
  readonly machines: number;
  /** From the start of a process to its first answer, and until it is ready for all its work. */
  readonly listeningMs: readonly number[];
  readonly readyMs: readonly number[];
  readonly restMs: number;
  /** Empty when everything is as it should be. */
  readonly problems: readonly string[];
  /** What the servers wrote, and what the clients know of the objects in trouble; undefined without problems. */
  readonly log: string | undefined;
}

/** A server is to be ready within this time after any death; Fly's limits may make it wait at its start. */
export const READY_WITHIN_MS = 15_000;
/** Two machines, with Fly's limit of one create a second and four others that are asked for as well. */
const FIRST_READY_MS = 30_000;
const LOOK_MS = 500;
const AT_REST_MS = 2500;
const PROBLEMS_SHOWN = 50;

interface World {
  readonly emulator: TestEmulator;
  readonly server: TestServer;
  readonly marks: Marks;
  readonly ledger: Ledger;
  readonly watchers: readonly Watcher[];
  readonly problems: string[];
  readonly lives: Program[];
  /** The test is over, whatever its result: nobody waits for an answer any more. */
  readonly over: AbortController;
}

export async function killLoop(options: KillLoopOptions): Promise<KillLoopResult> {
  const emulator = await startEmulator();
  const server = await startServer(emulator.environment);
  const marks = await openMarks();
  const problems: string[] = [];
  const ledger = createLedger(() => performance.now());
  const watchers = KINDS.map((kind) => watchKind(kind, () => server.url));
  const over = new AbortController();
  const world: World = { emulator, server, marks, ledger, watchers, problems, lives: [server.process], over };
  try {
    return await run(world, options);
  } finally {
    over.abort(new Error("the test is over"));
    await Promise.all(watchers.map((watcher) => watcher.close()));
    await server.close();
    await emulator.close();
    await marks.close();
  }
}

async function run(world: World, options: KillLoopOptions): Promise<KillLoopResult> {
  const { server, ledger, marks, problems } = world;
  const stop = new AbortController();
  const door = openDoor({
    ledger,
    server,
    stop: stop.signal,
    over: world.over.signal,
    violated: (what) => problems.push(what),
  });
  const loading = load({ door, marks, randomOf: (client) => seededRandom(options.seed * 1000 + client) });
  loading.catch(() => undefined); // whoever waits for it is told
  await until("machines are ready to be worked on", () => areReady(server, STAYING), FIRST_READY_MS);
  const starts = await blows(world, options, seededRandom(options.seed));
  stop.abort();
  await loading;

  const restBegan = performance.now();
  const atRest = await comeToRest(world, options.restMs);
  const restMs = performance.now() - restBegan;
  for (const plural of ["instances", "workflows", "workflowruns"])
    for (const name of ledger.names(plural)) await door.read(plural, name);
  problems.push(...(await staysAtRest(world)));
  const attempts = attemptProblems(runsEver(world), marks.counts);
  problems.push(...attempts.problems, ...commandProblems(atRest.executions, marks.counts));
  problems.push(...doubledMachines(atRest.machines));
  await end(world);
  problems.push(...historyProblems(join(server.dataDir, "flywheel.db"), ledger.acknowledged, world.watchers));
  problems.push(...world.watchers.flatMap((watcher) => watcher.problems));
  return {
    seed: options.seed,
    kills: options.kills,
    pauses: options.pauses ?? 0,
    acknowledged: ledger.acknowledged.length,
    unknown: ledger.unknown,
    runs: ledger.names("workflowruns").length,
    attempts: attempts.attempts,
    commands: atRest.executions.length,
    machines: atRest.machines.length,
    ...starts,
    restMs,
    problems: problems.slice(0, PROBLEMS_SHOWN),
    log: problems.length > 0 ? writeLog(world, options.seed) : undefined,
  };
}

async function areReady(server: TestServer, names: readonly string[]): Promise<boolean> {
  const { body } = await server.get<{ readonly items: readonly { name: string; status: string }[] }>("/api/instances");
  return names.every((wanted) => body.items.some(({ name, status }) => name === wanted && status === "running"));
}

interface Starts {
  readonly listeningMs: readonly number[];
  readonly readyMs: readonly number[];
}

async function blows(world: World, options: KillLoopOptions, random: Random): Promise<Starts> {
  const { kills, pauses = 0, pauseMs = 0, progress = () => undefined } = options;
  const listeningMs: number[] = [];
  const readyMs: number[] = [];
  await underLoad(random, 2500);
  let pausesLeft = pauses;
  for (let blow = 1; blow <= kills + pauses; blow += 1) {
    if (random.next() < pausesLeft / (kills + pauses - blow + 1)) {
      pausesLeft -= 1;
      await pause(world.server, pauseMs);
    } else {
      await world.server.kill("SIGKILL");
      if (random.next() < 0.25) await dieStarting(world, random);
      const start = await startAgain(world, random.next() < 0.4);
      listeningMs.push(start.listeningMs);
      if (start.readyMs !== undefined) readyMs.push(start.readyMs);
    }
    const { ledger } = world;
    progress(`${blow} of ${kills + pauses}, ${ledger.acknowledged.length} acknowledged, ${ledger.unknown} unknown`);
    await underLoad(random, random.next() < 0.4 ? 300 : 2000);
  }
  return { listeningMs, readyMs };
}

/** Killed before it can answer anything. */
async function dieStarting(world: World, random: Random): Promise<void> {
  const starting = world.server.restart().catch(() => undefined); // it ends before it says that it listens
  await underLoad(random, 700);
  world.lives.push(world.server.process);
  await world.server.kill("SIGKILL");
  await starting;
}

async function startAgain(
  world: World,
  diesEarly: boolean,
): Promise<{ readonly listeningMs: number; readonly readyMs: number | undefined }> {
  const began = performance.now();
  await world.server.restart();
  world.lives.push(world.server.process);
  const listeningMs = performance.now() - began;
  if (diesEarly) return { listeningMs, readyMs: undefined };
  const isReady = async () => (await world.server.get("/readyz")).status === 200;
  await until("the server is ready again", isReady, READY_WITHIN_MS);
  return { listeningMs, readyMs: performance.now() - began };
}

async function pause(server: TestServer, ms: number): Promise<void> {
  server.process.child.kill("SIGSTOP");
  await sleep(ms);
  server.process.child.kill("SIGCONT");
}

async function comeToRest(world: World, withinMs: number): Promise<AtRest> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const seen = await look(world);
    const waitsFor = unrest(seen);
    if (waitsFor.length === 0) return seen;
    if (performance.now() > deadline) {
      world.problems.push(...waitsFor.map((what) => `not at rest after ${withinMs} ms: ${what}`));
      return seen;
    }
    await sleep(LOOK_MS);
  }
}

async function look({ server, emulator }: World): Promise<AtRest> {
  const list = async (plural: string) => {
    const { body } = await server.get<{ readonly items: readonly JsonObject[] }>(`${NAMESPACED}/${plural}`);
    return body.items;
  };
  const [instances, runs, executions] = await Promise.all(["instances", "workflowruns", "executions"].map(list));
  const machines = machinesMade(emulator.stateDir);
  return { instances, runs, executions, machines } as unknown as AtRest; // as the server serves these kinds
}

/** Nothing is written when nothing changes. */
async function staysAtRest({ server, watchers }: World): Promise<readonly string[]> {
  const revision = async () => {
    const { body } = await server.get<{ metadata: { resourceVersion: string } }>(`${NAMESPACED}/instances`);
    return Number(body.metadata.resourceVersion);
  };
  const before = await revision();
  await sleep(AT_REST_MS);
  const after = await revision();
  const written = watchers.flatMap(({ last }) =>
    [...last.values()].filter(({ metadata }) => Number(metadata.resourceVersion) > before),
  );
  return before === after ? [] : [`at rest, and revisions went from ${before} to ${after}: ${JSON.stringify(written)}`];
}

function runsEver({ watchers }: World): Iterable<WorkflowRun> {
  const last = watchers.find(({ kind }) => kind === workflowRunKind)?.last.values();
  return (last ?? []) as Iterable<WorkflowRun>; // what the watcher of runs has seen
}

async function end({ server, watchers, problems, lives }: World): Promise<void> {
  await Promise.all(watchers.map((watcher) => watcher.close()));
  const { code } = await server.kill("SIGTERM");
  if (code !== 0) problems.push(`the last server ended with ${code}`);
  const wrong = lives.flatMap(({ text }) => text.err.split("\n")).filter((line) => line.includes('"level":50'));
  problems.push(...wrong.map((line) => `the server logged an error: ${line}`));
}

function writeLog({ lives, ledger, problems }: World, seed: number): string {
  const file = join(mkdtempSync(join(tmpdir(), "flywheel-kill-loop-")), `seed-${seed}.log`);
  const concerned = ["instances", "workflows", "workflowruns"].flatMap((plural) =>
    ledger
      .names(plural)
      .filter((name) => problems.some((problem) => problem.includes(name)))
      .flatMap((name) => [`== ${plural}/${name}`, ...ledger.about(plural, name)]),
  );
  const logs = lives.flatMap(({ text }, life) => [`== server, life ${life}`, text.err]);
  writeFileSync(file, [...problems, ...concerned, ...logs].join("\n"));
  return file;
}

function underLoad(random: Random, maxMs: number): Promise<void> {
  return sleep(random.next() * maxMs);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
