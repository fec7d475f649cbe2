// What is known of the machines of one app. One list per interval, whatever their number; a get by id for what the list
// does not show, and a held wait for what is changing. It never decides: it says what was seen and how sure that is.
import type { Clock } from "../kernel/clock.ts";
import { messageOf } from "../kernel/errors.ts";
import type { Log } from "../kernel/log.ts";
import { FOLLOW_WAIT_MS } from "../limits.ts";
import { type Machines, MachinesError, type WaitState } from "../machines/machines.ts";
import { type Machine, OWNER } from "../machines/wire.ts";
import type { Key } from "../store/store.ts";
import { afterSweep, type Breaker, CLOSED } from "./breaker.ts";
import { createMachineMemory, isGone, metadataOf } from "./machine-memory.ts";

export type Sighting =
  | { readonly presence: "seen"; readonly machine: Machine }
  /** Answered `destroyed` by id, or absent by id over the settle window. */
  | { readonly presence: "gone" }
  /** Missing from reads, and that not yet confirmed. */
  | { readonly presence: "doubtful"; readonly message: string };

export interface Fleet {
  /** True once one sweep has succeeded. */
  readonly synced: boolean;
  readonly breaker: Breaker;
  /** Registers whom to wake for a machine, and that it should be found. */
  expect(key: Key, uid: string, machineId: string | undefined): void;
  forget(uid: string): void;
  /** What is known of one machine; asks Fly when nothing is, or when we have changed it since. */
  sight(id: string, signal: AbortSignal): Promise<Sighting>;
  /** Asks Fly now. */
  refresh(id: string, signal: AbortSignal): Promise<Sighting>;
  /** Machines that carry this uid and live, as last seen; oldest first. */
  ownedBy(uid: string): readonly Machine[];
  /** A list, deleted ones included, that was begun after this call: the ground for saying that a name is free. */
  listAll(signal: AbortSignal): Promise<readonly Machine[]>;
  /** Whether a list lacks machines that are there when asked by their id: then it says nothing about absence. */
  lacks(listed: readonly Machine[], signal: AbortSignal): Promise<boolean>;
  /** The reply of a call of ours. */
  note(machine: Machine): void;
  /** We changed it: what was seen before counts no more. */
  touch(id: string): void;
  /** It is not ours any more, and nothing of it is remembered. */
  release(id: string): void;
  /** Waits in the background until the machine reaches `state` or time passes, then wakes its instance. */
  follow(id: string, state: WaitState): void;
  /** All machines of ours in the last sweep. */
  readonly ours: readonly Machine[];
  /** Sweeps until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export interface FleetOptions {
  readonly machines: Machines;
  readonly app: string;
  readonly controllerId: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly intervalMs: number;
  wake(key: Key): void;
  /** After each sweep that succeeded. */
  swept?(fleet: Fleet, signal: AbortSignal): Promise<void>;
}

const SETTLED_PAUSE_MS = 1000;

/** Machines missing from a list that are asked for by id before the list is believed to be whole. */
const WITNESSES = 3;

export function createFleet(options: FleetOptions): Fleet {
  const { machines, app, controllerId, clock, log, intervalMs } = options;
  const memory = createMachineMemory();
  const owners = new Map<string, { key: Key; machineId: string | undefined }>();
  const following = new Map<string, WaitState>();
  let breaker = CLOSED;
  let synced = false;
  let ours: readonly Machine[] = [];
  let lifetime: AbortSignal | undefined;
  let listing: Promise<readonly Machine[]> | undefined;
  let waiting: Promise<readonly Machine[]> | undefined;

  async function refresh(id: string, signal: AbortSignal): Promise<Sighting> {
    const begun = clock.monotonic();
    try {
      const machine = await machines.get(app, id, signal);
      memory.learn(machine, begun);
      return isGone(machine) ? { presence: "gone" } : { presence: "seen", machine };
    } catch (error) {
      if (!(error instanceof MachinesError) || error.class !== "gone") throw error;
      return missing(id);
    }
  }

  /** A 404 by id: a machine just made answers so for a moment, and a destroyed one does not. */
  function missing(id: string): Sighting {
    if (memory.missed(id, clock.monotonic(), !breaker.open)) return { presence: "gone" };
    return {
      presence: "doubtful",
      message: `machine ${id} is not found by its id; asking again before that is believed`,
    };
  }

  async function sweep(signal: AbortSignal): Promise<void> {
    const begun = clock.monotonic();
    const expected = expectedIds();
    const listed = (await machines.list(app, {}, signal)).filter(
      (each) => metadataOf(each)[OWNER.controller] === controllerId,
    );
    const news = new Set(listed.filter((each) => memory.learn(each, begun)).map((each) => each.id));
    ours = listed;
    const present = new Set(listed.map((each) => each.id));
    const absent = [...expected.keys()].filter((id) => !present.has(id) && !memory.isGone(id));
    const unconfirmed: string[] = [];
    await Promise.all(
      absent.map(async (id) => {
        const sighting = await refresh(id, signal).catch(
          (error: unknown): Sighting => ({ presence: "doubtful", message: messageOf(error) }),
        );
        if (sighting.presence === "doubtful") unconfirmed.push(id);
        if (sighting.presence === "gone") news.add(id);
      }),
    );
    const before = breaker;
    breaker = afterSweep(before, unconfirmed, expected.size);
    if (breaker.open !== before.open)
      log.warn(
        { app, open: breaker.open, missing: breaker.missing.length, expected: expected.size },
        "mass-vanish breaker",
      );
    wakeFor(news, !synced || breaker.open !== before.open);
    synced = true;
    memory.prune(new Set([...present, ...expectedIds().keys()]), clock.monotonic());
  }

  function expectedIds(): Map<string, Key> {
    return new Map(
      [...owners.values()].flatMap(({ machineId, key }) =>
        machineId === undefined ? [] : [[machineId, key] as const],
      ),
    );
  }

  function wakeFor(ids: ReadonlySet<string>, everyone: boolean): void {
    for (const [uid, { key, machineId }] of owners) {
      const concerned = (machineId !== undefined && ids.has(machineId)) || memory.owns(uid, ids);
      if (everyone || concerned) options.wake(key);
    }
  }

  const fleet: Fleet = {
    get synced() {
      return synced;
    },
    get breaker() {
      return breaker;
    },
    get ours() {
      return ours;
    },
    expect: (key, uid, machineId) => void owners.set(uid, { key, machineId }),
    forget: (uid) => void owners.delete(uid),
    async sight(id, signal) {
      if (memory.isGone(id)) return { presence: "gone" };
      const machine = memory.current(id);
      return machine ? { presence: "seen", machine } : refresh(id, signal);
    },
    refresh,
    ownedBy: memory.ownedBy,
    listAll(signal) {
      // A list under way was begun before this call and may not show what this caller asks about: all who ask meanwhile
      // share the one after it.
      waiting ??= (listing ?? Promise.resolve([]))
        .catch(() => [])
        .then(() => {
          waiting = undefined;
          listing = machines.list(app, { includeDeleted: true }, lifetime ?? signal);
          return listing;
        });
      return waiting;
    },
    async lacks(listed, signal) {
      const shown = new Set(listed.map(({ id }) => id));
      const missing = [...expectedIds().keys()].filter((id) => !shown.has(id) && !memory.isGone(id));
      const witnesses = await Promise.all(missing.slice(0, WITNESSES).map((id) => refresh(id, signal)));
      return witnesses.some(({ presence }) => presence === "seen");
    },
    note(machine) {
      const now = clock.monotonic();
      memory.revive(machine.id);
      memory.touch(machine.id, now);
      memory.learn(machine, now);
    },
    touch: (id) => memory.touch(id, clock.monotonic()),
    release: (id) => memory.release(id, clock.monotonic()),
    follow(id, state) {
      if (!lifetime || following.get(id) === state) return;
      following.set(id, state);
      void watchMachine(id, state, lifetime);
    },
    async run(signal) {
      lifetime = signal;
      while (!signal.aborted) {
        try {
          await sweep(signal);
          await options.swept?.(fleet, signal);
        } catch (error) {
          if (signal.aborted) return;
          log.warn({ app, error: messageOf(error) }, "sweep failed; what was known stays");
        }
        await clock.sleep(intervalMs, signal).catch(() => undefined /* aborted: the loop ends */);
      }
    },
  };

  async function watchMachine(id: string, state: WaitState, signal: AbortSignal): Promise<void> {
    try {
      await machines.wait(app, id, state, FOLLOW_WAIT_MS, signal);
      // A state that Fly calls settled and we do not know would otherwise be asked about without a pause.
      if (state === "settled") await clock.sleep(SETTLED_PAUSE_MS, signal);
    } catch (error) {
      if (signal.aborted) return;
      log.debug({ machine: id, state, error: messageOf(error) }, "wait ended early");
      await clock.sleep(1000, signal).catch(() => undefined /* aborted: nothing follows */);
    }
    if (following.get(id) === state) following.delete(id);
    fleet.touch(id);
    wakeFor(new Set([id]), false);
  }

  return fleet;
}
