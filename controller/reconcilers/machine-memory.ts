// What is remembered of machines between reads: how each looked last, whether that still counts, and how it ended. A read
// from before our own change is ignored, `destroyed` is final, and what nobody asks about any more is let go.
import { jsonEqual } from "../kernel/json.ts";
import { CREATE_SETTLE_MS } from "../limits.ts";
import { type Machine, OWNER } from "../machines/wire.ts";

export interface MachineMemory {
  /** Takes in what a read begun at `begunMs` showed; true when that is news. */
  learn(machine: Machine, begunMs: number): boolean;
  /** A read by id answered 404. True once that is believed: twice, over the settle window, and `believable`. */
  missed(id: string, nowMs: number, believable: boolean): boolean;
  /** We changed it: what was read before counts no more. */
  touch(id: string, nowMs: number): void;
  /** It was seen again after all: a reply of our own call says so. */
  revive(id: string): void;
  /** It is not ours any more. */
  release(id: string, nowMs: number): void;
  isGone(id: string): boolean;
  /** As last seen, if that still counts. */
  current(id: string): Machine | undefined;
  /** Machines that carry this uid and live, as last seen; oldest first. */
  ownedBy(uid: string): readonly Machine[];
  owns(uid: string, ids: ReadonlySet<string>): boolean;
  /** Lets go of what was not heard of for a while and is not in `keep`. */
  prune(keep: ReadonlySet<string>, nowMs: number): void;
  readonly size: number;
}

interface Remembered {
  machine: Machine | undefined;
  uid: string | undefined;
  stale: boolean;
  /** `absent` was believed after reads that said 404, and a machine that shows up again is believed too. */
  end: "destroyed" | "absent" | "released" | undefined;
  absence: { readonly sinceMs: number; readonly reads: number } | undefined;
  touchedMs: number;
  heardMs: number;
}

/** A get of a machine that should exist answered 404 this many times over the settle window: it is believed. */
const ABSENT_READS = 2;

/** Longer than any list is behind: until then an old list must not bring back what has ended. */
const MEMORY_MS = 10 * 60_000;

export function createMachineMemory(): MachineMemory {
  const machines = new Map<string, Remembered>();
  const byUid = new Map<string, Set<string>>();

  function entryOf(id: string, nowMs: number): Remembered {
    const entry = machines.get(id) ?? {
      machine: undefined,
      uid: undefined,
      stale: false,
      end: undefined,
      absence: undefined,
      touchedMs: Number.NEGATIVE_INFINITY,
      heardMs: nowMs,
    };
    entry.heardMs = Math.max(entry.heardMs, nowMs);
    machines.set(id, entry);
    return entry;
  }

  function index(id: string, entry: Remembered, uid: string | undefined): void {
    if (entry.uid === uid) return;
    const former = entry.uid === undefined ? undefined : byUid.get(entry.uid);
    former?.delete(id);
    if (former?.size === 0 && entry.uid !== undefined) byUid.delete(entry.uid);
    entry.uid = uid;
    if (uid !== undefined) byUid.set(uid, (byUid.get(uid) ?? new Set()).add(id));
  }

  function end(id: string, how: NonNullable<Remembered["end"]>, nowMs: number): void {
    const entry = entryOf(id, nowMs);
    index(id, entry, undefined);
    Object.assign(entry, { machine: undefined, absence: undefined, end: how });
  }

  return {
    learn(machine, begunMs) {
      const { id } = machine;
      const entry = entryOf(id, begunMs);
      if (entry.end === "destroyed" || entry.end === "released" || begunMs < entry.touchedMs) return false;
      if (isGone(machine)) {
        end(id, "destroyed", begunMs);
        return true;
      }
      const news = entry.machine === undefined || !looksSame(entry.machine, machine);
      Object.assign(entry, { machine, stale: false, end: undefined, absence: undefined });
      index(id, entry, ownerOf(machine));
      return news;
    },
    missed(id, nowMs, believable) {
      const entry = entryOf(id, nowMs);
      const { sinceMs = nowMs, reads = 0 } = entry.absence ?? {};
      entry.absence = { sinceMs, reads: reads + 1 };
      if (reads + 1 < ABSENT_READS || nowMs - sinceMs < CREATE_SETTLE_MS || !believable) return false;
      end(id, "absent", nowMs);
      entry.touchedMs = nowMs;
      return true;
    },
    touch(id, nowMs) {
      const entry = entryOf(id, nowMs);
      entry.touchedMs = nowMs;
      entry.stale = true;
    },
    revive: (id) => {
      const entry = machines.get(id);
      if (entry) entry.end = undefined;
    },
    release: (id, nowMs) => end(id, "released", nowMs),
    isGone: (id) => machines.get(id)?.end !== undefined,
    current(id) {
      const entry = machines.get(id);
      return entry && !entry.stale && !entry.absence ? entry.machine : undefined;
    },
    ownedBy: (uid) =>
      [...(byUid.get(uid) ?? [])]
        .flatMap((id) => machines.get(id)?.machine ?? [])
        .sort((a, b) => (a.created_at ?? "").localeCompare(b.created_at ?? "") || a.id.localeCompare(b.id)),
    owns: (uid, ids) => [...(byUid.get(uid) ?? [])].some((id) => ids.has(id)),
    prune(keep, nowMs) {
      for (const [id, entry] of machines) {
        if (keep.has(id) || nowMs - entry.heardMs < MEMORY_MS) continue;
        index(id, entry, undefined);
        machines.delete(id);
      }
    },
    get size() {
      return machines.size;
    },
  };
}

/** What makes a machine look different; times and events do not. */
const LOOKS = ["state", "instance_id", "private_ip", "region", "host_status", "config"] as const;

function looksSame(before: Machine, now: Machine): boolean {
  return before === now || LOOKS.every((member) => jsonEqual(before[member], now[member]));
}

/** Also of a machine whose host cannot be reached: its configuration is missing then, and this part of it is not. */
export function metadataOf(machine: Machine): Readonly<Record<string, string>> {
  return machine.config?.metadata ?? machine.incomplete_config?.metadata ?? {};
}

/** The uid of the instance that it was made for. */
export function ownerOf(machine: Machine): string | undefined {
  return metadataOf(machine)[OWNER.uid];
}

export function isGone(machine: Machine): boolean {
  return machine.state === "destroyed";
}
