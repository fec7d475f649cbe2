// Which machine is this instance's, and how sure is that. Three traps: a create whose reply was lost may still appear, a
// machine missing from one read is not gone, and a read from before our own change shows the past.
import type { Instance } from "../../crds/instance.ts";
import { CREATE_SETTLE_MS } from "../limits.ts";
import type { Machine } from "../machines/wire.ts";
import type { Observation } from "../runtime/managed.ts";
import { type InstanceWorld, keyOf } from "./instance-world.ts";
import { isGone, ownerOf } from "./machine-memory.ts";

export interface SeenMachine {
  readonly machine: Machine;
  /** Others that live and carry this instance's uid. */
  readonly duplicates: readonly Machine[];
}

export interface Observer {
  observe(instance: Instance, signal: AbortSignal): Promise<Observation<SeenMachine>>;
  forget(uid: string): void;
}

/** Annotation whose value is a machine's id: its absence need not be confirmed any further. */
export const ACKNOWLEDGE_ABSENCE = "fly.lightfast.ai/acknowledge-absence";

/** How soon an instance looks again while the first sweep is out. The sweep wakes it sooner. */
const SYNC_RETRY_MS = 1000;
const DOUBT_RETRY_MS = 5000;

export function createObserver({ fleet, clock }: InstanceWorld): Observer {
  /** When a create call in doubt was first read as without effect; begins anew with the process, which only waits longer. */
  const absentSince = new Map<string, { readonly call: string; readonly sinceMs: number }>();

  async function observe(instance: Instance, signal: AbortSignal): Promise<Observation<SeenMachine>> {
    const { uid } = instance.metadata;
    const id = instance.status?.machine?.id;
    fleet.expect(keyOf(instance), uid, id);
    if (!fleet.synced)
      return { ...doubt("the machines of the app have not been listed yet", SYNC_RETRY_MS), unread: true };
    const own = id === undefined ? undefined : await fleet.sight(id, signal);
    if (own?.presence === "doubtful" && !isAcknowledged(instance, id)) return doubt(own.message, DOUBT_RETRY_MS);
    const others = fleet.ownedBy(uid).filter((each) => each.id !== id);
    if (own?.presence === "seen") return present(own.machine, others);
    const found = await confirmed(others, signal);
    if (found) return found;
    if (instance.status?.provisioning?.requestedAt === undefined) return { state: "Absent" };
    return resolveCreate(instance, signal);
  }

  /** The first of `candidates` that is there when asked by id: a list may still show what was destroyed long ago. */
  async function confirmed(
    candidates: readonly Machine[],
    signal: AbortSignal,
  ): Promise<Observation<SeenMachine> | undefined> {
    for (const [index, candidate] of candidates.entries()) {
      const sighting = await fleet.refresh(candidate.id, signal);
      if (sighting.presence === "seen") return present(sighting.machine, candidates.slice(index + 1));
      if (sighting.presence === "doubtful") return doubt(sighting.message, DOUBT_RETRY_MS);
    }
    return undefined;
  }

  /** A create call was sent and its outcome is unknown: looked up by name and metadata, deleted machines included. */
  async function resolveCreate(instance: Instance, signal: AbortSignal): Promise<Observation<SeenMachine>> {
    const { uid } = instance.metadata;
    const { machineName: name = "", requestedAt } = instance.status?.provisioning ?? {};
    const all = await fleet.listAll(signal);
    const living = all.filter((each) => !isGone(each) && isOf(each, uid, name));
    const found = await confirmed(living, signal);
    if (found) return found;

    const call = `${name} ${requestedAt}`;
    const now = clock.monotonic();
    const before = absentSince.get(uid);
    const sinceMs = before?.call === call ? before.sinceMs : now;
    const left = CREATE_SETTLE_MS - (now - sinceMs);
    if (left <= 0) {
      absentSince.delete(uid);
      if (await fleet.lacks(all, signal)) return doubt("the list of machines is not whole", DOUBT_RETRY_MS);
      return { state: "Absent" };
    }
    absentSince.set(uid, { call, sinceMs });
    return doubt(
      `a create call for ${name} has no known outcome; no machine of that name is there, asking again before that is believed`,
      left,
    );
  }

  return { observe, forget: (uid) => void absentSince.delete(uid) };
}

/** The user says by annotation that this machine is gone for good, whatever Fly does not answer. */
function isAcknowledged({ metadata }: Instance, id: string | undefined): boolean {
  return id !== undefined && metadata.annotations?.[ACKNOWLEDGE_ABSENCE] === id;
}

/** By the owner it carries; by name where it does not say whose it is. */
function isOf(machine: Machine, uid: string, name: string): boolean {
  const owner = ownerOf(machine);
  return owner === undefined ? machine.name === name : owner === uid;
}

function present(machine: Machine, duplicates: readonly Machine[]): Observation<SeenMachine> {
  return { state: "Present", seen: { machine, duplicates } };
}

function doubt(message: string, retryAfterMs: number): Extract<Observation<SeenMachine>, { state: "Unknown" }> {
  return { state: "Unknown", message, retryAfterMs };
}
