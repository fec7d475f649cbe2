// One simulated world: a cloud without processes, machines whose jobs are records, a database in memory, and a program
// that is started, killed and started again. One clock, one random: a seed says everything that will happen.
import { emulatorApi, emulatorHttp } from "../../controller/emulator/api.ts";
import { Cloud } from "../../controller/emulator/cloud.ts";
import type { KnobChanges } from "../../controller/emulator/knobs.ts";
import type { MachineRecord } from "../../controller/emulator/machine-record.ts";
import { memoryGuests } from "../../controller/emulator/memory-guests.ts";
import { noStateStore } from "../../controller/emulator/state-store.ts";
import { jsonEqual } from "../../controller/kernel/json.ts";
import type { Log } from "../../controller/kernel/log.ts";
import { seededRandom } from "../../controller/kernel/random.ts";
import { openFile } from "../../controller/store/sqlite-file.ts";
import type { Store } from "../../controller/store/store.ts";
import type { AnyResource, Condition } from "../../crds/resource.ts";
import { virtualClock } from "../virtual-clock.ts";
import { type Struck, strike } from "./blows.ts";
import { troubledBoots } from "./boot-troubles.ts";
import { CALM, faultyHttp, pick, type Ratios } from "./faults.ts";
import { createFollowers } from "./followers.ts";
import { FOREIGN_METADATA, isForeign } from "./foreign.ts";
import { createInvariants, type HistoryRow, SECRET } from "./invariants.ts";
import { type BegunJob, jobsOnMachines } from "./jobs-on-machines.ts";
import { lightAbort } from "./light-abort.ts";
import { lightWeb } from "./light-web.ts";
import { APP, type Outside, type Process, RESYNC_MS, startProcess, TOKEN } from "./process.ts";
import { faultyFile, type StoreFaults } from "./store-faults.ts";
import { createTrace } from "./trace.ts";
import { createWires } from "./transport.ts";
import { createWatchers } from "./watchers.ts";
import type { Operation } from "./workload.ts";

/** Turns without anything scheduled after which nothing is runnable: all that is not scheduled is promise jobs. */
const SETTLE_TURNS = 1;
const OBSERVE_MS = [5_000, 10_000, 30_000];
const RESTART_MAX_MS = 15_000;
/** The share of seeds whose orphans are collected, and how long their lists hide a machine. */
const COLLECTING = 0.3;
const HIDDEN_MS = 90_000;
/** For how long lists may be empty, if so many machines are there that one of them tells. */
const EMPTY_MS = 45_000;
const WITNESSES_MIN = 4;
/** A process that finds no database at its start gives up, and is meant to; that is no news here. */
const STORE_STEADY_MS = 2_000;
/** An answer of 503 is about a commit that failed as lately as this. */
const STORE_ANSWER_MS = 100;

export type World = ReturnType<typeof simWorld>;

/** A world in which chance decides nothing about the process, and somebody looks at all that is true. */
export interface Script {
  readonly knobs: KnobChanges;
  readonly observeIntervalMs: number;
  /** From a death of the process to the next one. */
  readonly outageMs: number;
  readonly dies: Outside["dies"];
  committed(row: HistoryRow): void;
  machineChanged(record: MachineRecord): void;
  began(job: BegunJob): void;
  exited(job: BegunJob, exitCode: number): void;
}

export function simWorld(seed: number, seen?: (line: string) => void, script?: Script) {
  lightWeb();
  lightAbort();
  const random = seededRandom(seed);
  const clock = virtualClock(undefined, SETTLE_TURNS);
  const violations: string[] = [];
  const trace = createTrace(() => clock.monotonic(), seen);
  function violated(what: string): void {
    violations.push(what);
    trace.add(`VIOLATION ${what}`);
  }
  const wallMs = () => clock.now() + skewMs;
  const invariants = createInvariants({
    nowMs: () => clock.monotonic(),
    wallMs,
    running: () => jobs.running(),
    violated,
  });
  const watchers = createWatchers(violated);
  let ratios: Ratios = CALM;
  const followers = createFollowers({ clock, random, calm: () => ratios === CALM, violated });
  let skewMs = 0;
  const strikes = (ratio: number) => ratio > 0 && random.next() < ratio;

  const memory = memoryGuests();
  const jobs = jobsOnMachines(memory, clock, {
    began(job) {
      trace.add(`job  ${job.key.run}/${job.key.step}/${job.key.attempt} begins on ${job.machineId}`);
      invariants.began(job);
      script?.began(job);
    },
    exited(job, code) {
      trace.add(`job  ${job.key.run}/${job.key.step}/${job.key.attempt} exits ${code}`);
      invariants.exited(job, code);
      script?.exited(job, code);
    },
  });
  const boots = troubledBoots(jobs.guests);
  const cloud = new Cloud({
    clock,
    random,
    guests: boots.guests,
    knobs: script?.knobs ?? knobsFor(random.next()),
    state: {
      ...noStateStore,
      save: async (kind, _id, value) => (kind === "machines" ? machineSaved(value as MachineRecord) : undefined),
    }, // machines are saved as records
  });
  cloud.apps.create({ name: APP, organization: "personal" });
  const collects = !script && random.next() < COLLECTING;
  if (!script) cloud.createMachine(APP, { config: { image: "ubuntu:22.04", metadata: FOREIGN_METADATA } });
  const phases = new Map<string, string>();

  /**
   * A create call got no answer, and lists do not show its machine: for longer than its instance waits, where what a delete
   * leaves behind by that is collected; else for a while in which they show nothing at all, as others must be able to tell.
   */
  function unanswered(): number {
    if (collects) return HIDDEN_MS;
    const others = cloud.machinesOf(APP).filter((each) => each.phase === "started" && !isForeign(each));
    if (ratios === CALM || others.length < WITNESSES_MIN || random.next() < 0.5) return 0;
    cloud.faults.emptyList = true;
    later(EMPTY_MS, () => {
      delete cloud.faults.emptyList;
    });
    return 0;
  }

  function machineSaved(record: MachineRecord): void {
    if (phases.get(record.id) !== record.phase) trace.add(`cloud ${record.id} (${record.name}) is ${record.phase}`);
    phases.set(record.id, record.phase);
    invariants.machineChanged(record);
    script?.machineChanged(record);
  }

  const http = faultyHttp({
    http: emulatorHttp(emulatorApi(cloud, { token: TOKEN })),
    clock,
    random,
    trace,
    ratios: () => ratios.call,
    hidesMs: unanswered,
    called: invariants.called,
    answered(action, status) {
      invariants.answered(action, status);
      const [, id] = /^(?:DELETE|POST|PUT) \w+ (\w+)/.exec(action) ?? [];
      const record = status < 300 && cloud.machinesOf(APP).find((each) => each.id === id);
      if (!record) return;
      if (isForeign(record)) violated(`S7 ${action}, a machine of another controller`);
      if (action.startsWith("DELETE destroy")) invariants.destroyed(record);
    },
    delayed: (action) => invariants.delayed(action, cloud.machinesOf(APP), clock.now()),
  });
  const wires = createWires({
    cloud,
    jobs,
    clock,
    trace,
    reached: (machineId) => invariants.reached(machineId),
    mistrusted: (machineId) => invariants.mistrusted(machineId),
    sent: (machineId) => invariants.sent(machineId),
    crashes: (machineId) => memory.exit(machineId, { code: 1, signal: 9 }),
    spoils: () => (strikes(ratios.wire) ? pick(random, ["before", "after", "crash"] as const) : undefined),
  });

  const file = openFile(":memory:");
  let storeFailedMs = Number.NEGATIVE_INFINITY;
  let startedMs = 0;
  const storeFaults: StoreFaults = {
    fails(statement) {
      if (clock.monotonic() - startedMs < STORE_STEADY_MS || !strikes(ratios.commit)) return false;
      storeFailedMs = clock.monotonic();
      trace.add(`store ${statement} fails`);
      return true;
    },
  };
  let newest = 0;
  const history = () =>
    file.db.prepare<[number], HistoryRow>(
      "select revision, type, kind, name, body from history where revision > ? order by revision",
    );
  let after: ReturnType<typeof history> | undefined;

  function committed(): void {
    after ??= history();
    for (const stored of after.all(newest)) {
      const object: Said = JSON.parse(stored.body); // stored text is an object
      const row = { ...stored, object };
      newest = row.revision;
      trace.add(`store ${row.revision} ${row.type} ${row.kind.split(".")[0]}/${row.name}${said(row.kind, object)}`);
      invariants.committed(row);
      script?.committed(row);
      watchers.committed(row.kind, row.revision);
    }
  }

  /** Controllers never write what is the user's. */
  function controllersStore(store: Store): Store {
    return {
      ...store,
      update: (kind, key, change, options) =>
        store.update(
          kind,
          key,
          (current, view) => {
            const next = change(current, view);
            if (!jsonEqual(specOf(current), specOf(next))) {
              violated(`S9 a controller changed the spec of ${kind.kind} ${key.name}`);
            }
            return next;
          },
          options,
        ),
    };
  }

  const log = recorder((line) => invariants.logged(line));
  const observeIntervalMs = script?.observeIntervalMs ?? pick(random, OBSERVE_MS);
  let resyncMs = RESYNC_MS;
  let process: Process | undefined;

  function start(): void {
    trace.add("process starts");
    startedMs = clock.monotonic();
    invariants.started();
    process = startProcess({
      file: faultyFile(file, storeFaults),
      clock,
      random,
      http,
      wires,
      log,
      observeIntervalMs,
      orphanPolicy: collects ? "Delete" : "Report",
      resyncMs,
      opened(store) {
        watchers.watch(store);
        if (!script) followers.follow(store);
      },
      skewMs: () => skewMs,
      dies(effect, when) {
        if (!(script ? script.dies(effect, when) : strikes(ratios.crash))) return false;
        killed(`${when} ${effect.name}`);
        return true;
      },
      committed,
      keysOf: (uid) => ({ hostKey: `${SECRET}-host-key of ${uid}`, authorizedKeys: "ssh-ed25519 AAAA" }),
      controllersStore,
      fatal(error) {
        violated(`assertion: the process gave up: ${error.stack}`);
      },
    });
  }

  function killed(where: string): void {
    trace.add(`process killed ${where}`);
    process = undefined;
    later(script?.outageMs ?? random.next() * RESTART_MAX_MS, start);
  }

  function later(ms: number, what: () => void): void {
    clock.sleep(ms).then(what);
  }

  /** The status of the answer, if there was one. */
  async function operate(operation: Operation): Promise<number | undefined> {
    const { method, path, edits, afterMs = 0 } = operation;
    const read = edits && [...invariants.objects.values()].find(edits.object);
    if (edits && !read) return undefined;
    if (afterMs > 0) await clock.sleep(afterMs);
    const body = edits && read ? edits.change(read) : operation.body;
    const what = `user ${method} ${path}`;
    if (!process) {
      trace.add(`${what} -> no server`);
      return undefined;
    }
    const response = await process.request(method, path, body);
    trace.add(`${what} -> ${response?.status ?? "no answer"}`);
    const excused = response?.status === 503 && clock.monotonic() - storeFailedMs < STORE_ANSWER_MS;
    if (response && response.status >= 500 && !excused)
      violated(`the API answered ${response.status}: ${await response.text()}`);
    else if (response?.ok) invariants.acknowledged(await response.text(), read?.metadata.resourceVersion);
    return response?.status;
  }

  const struck: Struck = {
    cloud,
    guests: memory,
    wires,
    boots,
    random,
    jump: (ms) => {
      skewMs += ms;
      invariants.jumped();
    },
    later,
  };

  return {
    random,
    clock,
    cloud,
    wires,
    boots,
    trace,
    invariants,
    violations,
    start,
    /** Another process takes over, which knows nothing, and looks at every object this often. */
    succeed(everyMs: number): void {
      process?.life.kill();
      resyncMs = everyMs;
      start();
    },
    operate,
    get alive() {
      return process !== undefined;
    },
    set ratios(next: Ratios) {
      ratios = next;
    },
    strike(): void {
      if (!strikes(ratios.blow)) return;
      const blow = strike(struck);
      if (blow) trace.add(`blow ${blow}`);
    },
    machines: () => cloud.machinesOf(APP),
    revision: () => newest,
    behind: () => [...watchers.behind(), ...(script ? [] : followers.behind(invariants.objects.values()))],
    close(): void {
      process?.life.kill();
      file.close();
    },
  };
}

type Said = AnyResource & { reason?: string; message?: string; status?: { conditions?: Condition[] } };

/** What a row tells people, for whoever reads the trace. */
function said(kind: string, object: Said): string {
  if (kind === "events") return ` ${object.reason}: ${object.message}`;
  const [first] = object.status?.conditions?.filter(({ type }) => type === "Ready" || type === "Succeeded") ?? [];
  return first ? ` ${first.type}=${first.status} ${first.reason}` : "";
}

function specOf(object: unknown): unknown {
  return object !== null && typeof object === "object" && "spec" in object ? object.spec : undefined;
}

/** How far behind the cloud's answers are, by chance. */
function knobsFor(chance: number): KnobChanges {
  if (chance < 0.4) return {};
  if (chance < 0.7) return { listLagMs: 1000, getLagMs: 500, appLagMs: 0 };
  return { listLagMs: 4000, getLagMs: 3000, delays: { create: 6000, start: 1000, replace: 4000, destroy: 3000 } };
}

function recorder(write: (line: string) => void): Log {
  const line = (fields: unknown, message: string) => write(`${message} ${safeJson(fields)}`);
  const log: Log = { debug: line, info: line, warn: line, error: line, child: () => log };
  return log;
}

function safeJson(fields: unknown): string {
  return JSON.stringify(fields, (_key, value: unknown) => (value instanceof Error ? `${value.message}` : value)) ?? "";
}
