// The whole instance controller on virtual time: the real store, admission, client and reconciler, and the emulated cloud
// without processes. Tests switch faults on and read what the cloud holds.
import { createAdmission } from "../controller/admission/create-admission.ts";
import { ensureDefaultNamespace } from "../controller/admission/namespace-rules.ts";
import { emulatorApi, emulatorHttp } from "../controller/emulator/api.ts";
import { Cloud } from "../controller/emulator/cloud.ts";
import type { Faults } from "../controller/emulator/faults.ts";
import type { KnobChanges } from "../controller/emulator/knobs.ts";
import { isFinal } from "../controller/emulator/machine-record.ts";
import { type MemoryGuests, memoryGuests } from "../controller/emulator/memory-guests.ts";
import type { Clock } from "../controller/kernel/clock.ts";
import type { Http, HttpRequest } from "../controller/kernel/http.ts";
import { lifetime } from "../controller/kernel/lifetime.ts";
import { silentLog } from "../controller/kernel/log.ts";
import { seededRandom } from "../controller/kernel/random.ts";
import { flyMachines } from "../controller/machines/client.ts";
import { PHASES } from "../controller/machines/model.ts";
import { type AdoptionRequest, createAdoption } from "../controller/reconcilers/adoption.ts";
import { createFleet, type Fleet } from "../controller/reconcilers/fleet.ts";
import { createInstanceReconciler } from "../controller/reconcilers/instance.ts";
import type { MachineKeys } from "../controller/reconcilers/instance-config.ts";
import { createOrphanWatch } from "../controller/reconcilers/orphans.ts";
import { createController } from "../controller/runtime/controller.ts";
import { createEvents } from "../controller/runtime/events.ts";
import { openSqlite, type SqliteDatabase } from "../controller/store/sqlite.ts";
import type { Store } from "../controller/store/store.ts";
import type { Reach } from "../controller/transports/transport.ts";
import { type Event, eventKind } from "../crds/event.ts";
import { type Instance, instanceKind } from "../crds/instance.ts";
import { KINDS } from "../crds/kinds.ts";
import { API_VERSION, findCondition } from "../crds/resource.ts";
import { KEYS } from "./instance-fixture.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";

const APP = "workers";
const TOKEN = "token";
const BASE = "http://127.0.0.1:4280";
const DEFAULTS = { region: "iad", image: "ubuntu:22.04", size: "shared-cpu-1x", memoryMb: 256 };

export interface InstanceWorldOptions {
  /** Where the database is, for a test that puts another one there; in memory when absent. */
  readonly file?: string;
  /** Read anew at each look, so that a test may lose the secret they are made from. */
  readonly keysOf?: () => MachineKeys;
  /** Nobody looks for orphans when absent. */
  readonly orphanPolicy?: "Report" | "Delete";
  readonly knobs?: KnobChanges;
  /** Answers of Fly's list, get and so on may be changed or lost here. */
  readonly between?: (request: HttpRequest, send: () => ReturnType<Http["send"]>) => ReturnType<Http["send"]>;
}

export async function instanceWorld(options: InstanceWorldOptions = {}) {
  const clock = virtualClock();
  let skewMs = 0;
  const ours: Clock = {
    now: () => clock.now() + skewMs,
    monotonic: () => clock.monotonic(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
  };
  const random = seededRandom(7);
  const guests = memoryGuests();
  const faults: Faults = {};
  const cloud = new Cloud({ clock, random, guests, faults, ...(options.knobs && { knobs: options.knobs }) });
  const direct = emulatorHttp(emulatorApi(cloud, { token: TOKEN }));
  const calls: string[] = [];
  const http: Http = {
    send(request, signal) {
      calls.push(`${request.method} ${new URL(request.url).pathname.replace(/^\/v1\/apps\/workers/, "")}`);
      const send = () => direct.send(request, signal);
      return options.between ? options.between(request, send) : send();
    },
  };
  const machines = flyMachines({ http, baseUrl: BASE, token: TOKEN, clock, random });
  await machines.ensureApp(APP, "personal", new AbortController().signal);
  const keysOf = options.keysOf ?? (() => KEYS);
  let { database, admission } = await openDatabase();
  const reach = fakeReach();
  let running = run();

  async function openDatabase() {
    const opened = await openSqlite({ file: options.file ?? ":memory:", clock, random });
    const door = createAdmission({ store: opened.store, kinds: KINDS, random, defaults: DEFAULTS });
    await ensureDefaultNamespace(door);
    return { database: opened, admission: door };
  }

  /** One life of the controller process; everything it remembers ends with it. */
  function run() {
    const clock = ours;
    const life = lifetime();
    const log = silentLog;
    const store = writesUntil(life.signal, database.store);
    const admission = createAdmission({ store, kinds: KINDS, random, defaults: DEFAULTS });
    const machines = flyMachines({ http: diesWith(life.signal, http), baseUrl: BASE, token: TOKEN, clock, random });
    const events = createEvents({ admission, clock, log });
    const orphans = { store: database.store, machines, events, clock, log, app: APP };
    const fleet: Fleet = createFleet({
      machines,
      app: APP,
      controllerId: database.store.controllerId,
      clock,
      log,
      intervalMs: 5000,
      wake: (key) => controller.enqueue(key),
      ...(options.orphanPolicy && { swept: createOrphanWatch({ ...orphans, policy: options.orphanPolicy }) }),
    });
    const reconciler = createInstanceReconciler({
      store,
      admission,
      machines,
      fleet,
      reach,
      events,
      clock,
      log,
      app: APP,
      keysOf,
    });
    const adopt = createAdoption({ store: database.store, admission, machines, events, clock, app: APP, keysOf });
    const controller = createController({
      store,
      clock,
      random,
      log,
      reconciler,
      workers: 256,
      resyncMs: 300_000,
      fatal(error) {
        throw error;
      },
    });
    const ended = Promise.all([controller.run(life.signal), fleet.run(life.signal)]);
    return { life, fleet, adopt, ended };
  }

  const key = (name: string) => ({ namespace: "default", name });
  const get = (name: string): Promise<Instance | undefined> => database.store.get(instanceKind, key(name));

  return {
    clock,
    cloud,
    guests,
    faults,
    calls,
    get database() {
      return database;
    },
    get admission() {
      return admission;
    },
    machines,
    reach,
    /** Runs the clock meanwhile: Fly's limits may keep it waiting. */
    async adopt(request: Partial<AdoptionRequest> = {}) {
      let over = false;
      const adopting = running.adopt({ controllers: [], dryRun: false, ...request }, new AbortController().signal);
      const ended = adopting.finally(() => {
        over = true;
      });
      await clock.runUntil(async () => over);
      return ended;
    },
    get fleet() {
      return running.fleet;
    },
    /** Sets the wall clock of the controller's computer; Fly's own goes on. */
    jump: (ms: number) => {
      skewMs += ms;
    },
    get,
    get store(): Store {
      return database.store;
    },
    apply: (name: string, spec: Record<string, unknown> = {}) =>
      admission.create(instanceKind, {
        apiVersion: API_VERSION,
        kind: "Instance",
        metadata: { name, namespace: "default" },
        spec,
      }),
    edit: (name: string, change: Record<string, unknown>) =>
      admission.update(instanceKind, key(name), (current) => ({ ...current, spec: { ...current.spec, ...change } })),
    remove: (name: string) => admission.delete(instanceKind, key(name)),
    ready: async (name: string) => findCondition((await get(name)) ?? {}, "Ready"),
    until: (name: string, reason: string, maxMs?: number) =>
      clock.runUntil(async () => findCondition((await get(name)) ?? {}, "Ready")?.reason === reason, maxMs),
    gone: (name: string, maxMs?: number) => clock.runUntil(async () => (await get(name)) === undefined, maxMs),
    /** Machines that exist, as the cloud itself holds them. */
    live: () =>
      cloud
        .machinesOf(APP)
        .filter((each) => !isFinal(each))
        .map(({ id, phase, config }) => ({ id, config, state: PHASES[phase].shown })),
    events: async (): Promise<readonly Event[]> => (await database.store.list(eventKind, {})).items,
    /** The process dies between two lines and comes back. */
    async restart(): Promise<void> {
      running.life.abort(new Error("killed"));
      await clock.settle();
      running = run();
    },
    /** The process ends, `change` has the file for itself, and another process begins with what is there then. */
    async reopened(change: () => Promise<void>): Promise<void> {
      running.life.abort(new Error("ended"));
      await clock.settle();
      await database.close();
      await change();
      ({ database, admission } = await openDatabase());
      running = run();
      await clock.settle();
    },
    async close(): Promise<void> {
      running.life.abort(new Error("end of the test"));
      await clock.settle();
      await database.close();
    },
  };
}

export type TestWorld = Awaited<ReturnType<typeof instanceWorld>>;
export type { MemoryGuests, SqliteDatabase, VirtualClock };

const never = new Promise<never>(() => undefined);

/** A process that was killed writes nothing on its way out. */
function writesUntil(life: AbortSignal, store: Store): Store {
  return {
    ...store,
    create: (...args) => (life.aborted ? never : store.create(...args)),
    update: (...args) => (life.aborted ? never : store.update(...args)),
    updateStatus: (...args) => (life.aborted ? never : store.updateStatus(...args)),
    delete: (...args) => (life.aborted ? never : store.delete(...args)),
  };
}

/** Of calls that are out when the process dies, nobody hears again. */
function diesWith(life: AbortSignal, http: Http): Http {
  return {
    async send(request, signal) {
      if (life.aborted) return never;
      const answer = await http
        .send(request, signal)
        .catch((error: unknown) => (life.aborted ? never : Promise.reject(error)));
      return life.aborted ? never : answer;
    },
  };
}

/** Every machine answers by SSH until a test says otherwise. */
function fakeReach(): Reach & { answers: boolean; readonly forgotten: string[] } {
  const forgotten: string[] = [];
  return {
    answers: true,
    forgotten,
    session: () => Promise.reject(new Error("no sessions here")),
    async probe() {
      return this.answers
        ? { reachable: true, via: "SSH", message: "answers on port 2222" }
        : { reachable: false, reason: "NotReachable", message: "connection refused" };
    },
    forget: (id) => void forgotten.push(id),
    acknowledge: () => undefined,
    close: () => undefined,
  };
}
