// Real servers on one database, each killed with -9 under load at a moment that a seed chooses, or stopped and continued,
// while the emulator lives on as a process of its own and commands go over real SSH. In the end all that was ever
// acknowledged, seen or begun is compared with what is there.
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "../../../controller/kernel/random.ts";
import { KINDS } from "../../../crds/kinds.ts";
import { type WorkflowRun, workflowRunKind } from "../../../crds/workflow-run.ts";
import { startEmulator, type TestEmulator } from "../emulator.ts";
import { type Program, until } from "../program.ts";
import { startServer, type TestServer } from "../server.ts";
import { type BlowOptions, type Starts, strike } from "./blows.ts";
import { load, STAYING } from "./clients.ts";
import { openDoor } from "./door.ts";
import { historyProblems } from "./history.ts";
import { createLedger, type Ledger } from "./ledger.ts";
import { machinesFolder } from "./machines-made.ts";
import { type Marks, openMarks } from "./marks.ts";
import { type AtRest, attemptProblems, commandProblems, doubledMachines } from "./rest.ts";
import { comeToRest, staysAtRest } from "./settle.ts";
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
  /** Ends it before its time; what it has started ends with it. */
  readonly signal?: AbortSignal;
}

export interface KillLoopResult extends Starts {
  readonly seed: number;
  readonly kills: number;
  readonly pauses: number;
  readonly acknowledged: number;
  readonly unknown: number;
  readonly runs: number;
  readonly attempts: number;
  readonly commands: number;
  readonly machines: number;
  readonly restMs: number;
  /** Empty when everything is as it should be. */
  readonly problems: readonly string[];
  /** What the servers wrote, and what the clients know of the objects in trouble; undefined without problems. */
  readonly log: string | undefined;
}

/** Two machines, with Fly's limit of one create a second and four others that are asked for as well; on a computer that is busy. */
const FIRST_READY_MS = 90_000;
const PROBLEMS_SHOWN = 50;
/** What the clients write. */
const WRITTEN = ["instances", "workflows", "workflowruns"];

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
  } catch (cause) {
    const log = writeLog(world, options.seed);
    throw new Error(`seed ${options.seed}: the loop broke off; logs of the servers: ${log}`, { cause });
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
  const signal = options.signal ?? new AbortController().signal;
  const starts = await strike(server, blowsOf(world, options, signal));
  stop.abort();
  await loading;

  const restBegan = performance.now();
  const atRest = await comeToRest(world, options.restMs, signal);
  const restMs = performance.now() - restBegan;
  for (const plural of WRITTEN) for (const name of ledger.names(plural)) await door.read(plural, name);
  problems.push(...(await staysAtRest(world)));
  const { attempts } = compare(world, atRest);
  await end(world);
  problems.push(...historyProblems(join(server.dataDir, "flywheel.db"), ledger.acknowledged, world.watchers));
  return {
    seed: options.seed,
    kills: options.kills,
    pauses: options.pauses ?? 0,
    acknowledged: ledger.acknowledged.length,
    unknown: ledger.unknown,
    runs: ledger.names("workflowruns").length,
    attempts,
    commands: atRest.executions.length,
    machines: atRest.machines.length,
    ...starts,
    restMs,
    problems: problems.slice(0, PROBLEMS_SHOWN),
    log: problems.length > 0 ? writeLog(world, options.seed) : undefined,
  };
}

function blowsOf({ lives, ledger, emulator }: World, options: KillLoopOptions, signal: AbortSignal): BlowOptions {
  const { kills, pauses = 0, pauseMs = 0, seed, progress } = options;
  return {
    kills,
    pauses,
    pauseMs,
    random: seededRandom(seed),
    machinesFolder: machinesFolder(emulator.stateDir),
    signal,
    started: (life) => lives.push(life),
    struck: (blows) =>
      progress?.(
        `${blows} of ${kills + pauses}, ${ledger.acknowledged.length} acknowledged, ${ledger.unknown} unknown`,
      ),
  };
}

/** What the machines have told, and what the emulator has made, with what the server says. */
function compare(world: World, { executions, machines }: AtRest): { readonly attempts: number } {
  const { marks, problems } = world;
  const { attempts, problems: ofAttempts } = attemptProblems(runsEver(world), marks.counts);
  problems.push(...ofAttempts, ...commandProblems(executions, marks.counts), ...doubledMachines(machines));
  return { attempts };
}

async function areReady(server: TestServer, names: readonly string[]): Promise<boolean> {
  const { body } = await server.get<{ readonly items: readonly { name: string; status: string }[] }>("/api/instances");
  return names.every((wanted) => body.items.some(({ name, status }) => name === wanted && status === "running"));
}

function runsEver({ watchers }: World): Iterable<WorkflowRun> {
  const last = watchers.find(({ kind }) => kind === workflowRunKind)?.last.values();
  return (last ?? []) as Iterable<WorkflowRun>; // what the watcher of runs has seen
}

async function end({ server, watchers, problems, lives }: World): Promise<void> {
  await Promise.all(watchers.map((watcher) => watcher.close()));
  const { code } = await server.kill("SIGTERM");
  if (code !== 0) problems.push(`the last server ended with ${code}`);
  problems.push(...watchers.flatMap((watcher) => watcher.problems));
  const wrong = lives.flatMap(({ text }) => text.out.split("\n")).filter((line) => line.includes('"level":"error"'));
  problems.push(...wrong.map((line) => `the server logged an error: ${line}`));
}

function writeLog({ lives, ledger, problems }: World, seed: number): string {
  const file = join(mkdtempSync(join(tmpdir(), "flywheel-kill-loop-")), `seed-${seed}.log`);
  const concerned = WRITTEN.flatMap((plural) =>
    ledger
      .names(plural)
      .filter((name) => problems.some((problem) => problem.includes(name)))
      .flatMap((name) => [`== ${plural}/${name}`, ...ledger.about(plural, name)]),
  );
  const logs = lives.flatMap(({ text }, life) => [`== server, life ${life}`, text.err, text.out]);
  writeFileSync(file, [...problems, ...concerned, ...logs].join("\n"));
  return file;
}
