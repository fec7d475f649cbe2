// What is done to the server, at moments that a seed chooses: killed in the middle of its work, in the moment after a start or
// before it can answer anything at all, or when Fly has made a machine and its answer is on the way; or stopped as a whole
// and continued.
import { readdirSync, watch } from "node:fs";
import type { Random } from "../../../controller/kernel/random.ts";
import { type Program, until } from "../program.ts";
import type { TestServer } from "../server.ts";

export interface BlowOptions {
  readonly kills: number;
  readonly pauses: number;
  readonly pauseMs: number;
  readonly random: Random;
  /** Where the emulator writes a file for each machine, before it answers. */
  readonly machinesFolder: string;
  readonly signal: AbortSignal;
  /** A process was started. */
  started(life: Program): void;
  /** So many blows are over. */
  struck(blows: number): void;
}

export interface Starts {
  /** From the start of a process to its first answer, and until it is ready for all its work. */
  readonly listeningMs: readonly number[];
  readonly readyMs: readonly number[];
}

/** A server is to be ready within this time after any death; Fly's limits may make it wait at its start. */
export const READY_WITHIN_MS = 15_000;

/**
 * A create whose outcome is unknown is believed not to have happened after a while of looking, which begins anew with each
 * process: without a life that lasts longer now and then nothing would come of it.
 */
const LONG_LIFE_EVERY = 25;
const LONG_LIFE_MS = 40_000;

/** Not every moment has a machine that is being made. */
const MACHINE_WITHIN_MS = 2500;

export async function strike(server: TestServer, options: BlowOptions): Promise<Starts> {
  const { kills, pauses, pauseMs, random, signal } = options;
  const listeningMs: number[] = [];
  const readyMs: number[] = [];
  await underLoad(random, 2500);
  let pausesLeft = pauses;
  for (let blow = 1; blow <= kills + pauses; blow += 1) {
    signal.throwIfAborted();
    if (random.next() < pausesLeft / (kills + pauses - blow + 1)) {
      pausesLeft -= 1;
      await pause(server, pauseMs);
    } else {
      if (random.next() < 0.4) await machineMade(options.machinesFolder);
      await server.kill("SIGKILL");
      if (random.next() < 0.25) await dieStarting(server, options);
      const start = await startAgain(server, options, random.next() < 0.4);
      listeningMs.push(start.listeningMs);
      if (start.readyMs !== undefined) readyMs.push(start.readyMs);
    }
    options.struck(blow);
    await (blow % LONG_LIFE_EVERY === 0 ? sleep(LONG_LIFE_MS) : underLoad(random, random.next() < 0.4 ? 300 : 2000));
  }
  return { listeningMs, readyMs };
}

/** Resolves when a file is there that was not: machines that exist are written anew under the names that they have. */
async function machineMade(folder: string): Promise<void> {
  const known = new Set(readdirSync(folder));
  const watcher = watch(folder);
  const made = new Promise<void>((resolve) => {
    watcher.on("change", (_type, name) => {
      if (String(name).endsWith(".json") && !known.has(String(name))) resolve();
    });
  });
  await Promise.race([made, sleep(MACHINE_WITHIN_MS)]);
  watcher.close();
}

/** Killed before it can answer anything. */
async function dieStarting(server: TestServer, { random, started }: BlowOptions): Promise<void> {
  const starting = server.restart().catch(() => undefined); // it ends before it says that it listens
  await underLoad(random, 700);
  started(server.process);
  await server.kill("SIGKILL");
  await starting;
}

async function startAgain(
  server: TestServer,
  { started }: BlowOptions,
  diesEarly: boolean,
): Promise<{ readonly listeningMs: number; readonly readyMs: number | undefined }> {
  const began = performance.now();
  await server.restart();
  started(server.process);
  const listeningMs = performance.now() - began;
  if (diesEarly) return { listeningMs, readyMs: undefined };
  const isReady = async () => (await server.get("/readyz")).status === 200;
  await until("the server is ready again", isReady, READY_WITHIN_MS);
  return { listeningMs, readyMs: performance.now() - began };
}

async function pause(server: TestServer, ms: number): Promise<void> {
  server.process.child.kill("SIGSTOP");
  await sleep(ms);
  server.process.child.kill("SIGCONT");
}

function underLoad(random: Random, maxMs: number): Promise<void> {
  return sleep(random.next() * maxMs);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
