// Machines that carry our controller id and belong to no instance. They are reported, and deleted only when the operator
// has said so, after a grace, each read again by id: a restored database must not cost anybody a machine, so those that
// are older than the restoration are never deleted.
import { instanceKind } from "../../crds/instance.ts";
import { DEFAULT_NAMESPACE } from "../../crds/namespace.ts";
import type { Clock } from "../kernel/clock.ts";
import { messageOf } from "../kernel/errors.ts";
import type { Log } from "../kernel/log.ts";
import { ORPHAN_GRACE_MS } from "../limits.ts";
import type { Machines } from "../machines/machines.ts";
import { type Machine, OWNER } from "../machines/wire.ts";
import type { Events } from "../runtime/events.ts";
import type { Store } from "../store/store.ts";
import type { Fleet } from "./fleet.ts";
import { metadataOf, ownerOf } from "./machine-memory.ts";
import { mayBelongToLost } from "./restored.ts";

export interface OrphanOptions {
  readonly store: Store;
  readonly machines: Machines;
  readonly events: Events;
  readonly clock: Clock;
  readonly log: Log;
  readonly app: string;
  readonly policy: "Report" | "Delete";
  /** For the metric: how many there are now. */
  found?(count: number): void;
}

/** To be called after each sweep. */
export function createOrphanWatch(options: OrphanOptions): (fleet: Fleet, signal: AbortSignal) => Promise<void> {
  const { store, machines, events, clock, log, app, policy } = options;
  const since = new Map<string, number>();
  const reported = new Set<string>();

  async function ownerless(fleet: Fleet): Promise<Machine[]> {
    const candidates = fleet.ours.filter((each) => each.state !== "destroying");
    const owners = await Promise.all(candidates.map((each) => store.getByUid(instanceKind, uidOf(each))));
    return candidates.filter((_, index) => owners[index] === undefined);
  }

  async function report(machine: Machine): Promise<void> {
    if (reported.has(machine.id)) return;
    reported.add(machine.id);
    const metadata = metadataOf(machine);
    const former = `${metadata[OWNER.namespace]}/${metadata[OWNER.name]}`;
    log.warn({ machine: machine.id, app, former }, "orphan: a machine of ours without an instance");
    const subject = {
      apiVersion: "fly.io/v1",
      kind: "Machine",
      metadata: { name: machine.id, namespace: DEFAULT_NAMESPACE, uid: machine.id },
    };
    await events.record(
      subject,
      "Warning",
      "Orphan",
      `machine ${machine.id} was made for instance ${former}, which does not exist`,
    );
  }

  async function remove(fleet: Fleet, machine: Machine, signal: AbortSignal): Promise<void> {
    const sighting = await fleet.refresh(machine.id, signal);
    if (sighting.presence !== "seen" || uidOf(sighting.machine) !== uidOf(machine)) return;
    await machines.destroy(app, machine.id, signal);
    fleet.touch(machine.id);
    log.warn({ machine: machine.id, app }, "orphan destroyed");
  }

  return async (fleet, signal) => {
    const orphans = await ownerless(fleet);
    const now = clock.monotonic();
    for (const id of since.keys()) if (!orphans.some((each) => each.id === id)) since.delete(id);
    for (const each of orphans) if (!since.has(each.id)) since.set(each.id, now);
    const ripe = orphans.filter((each) => now - (since.get(each.id) ?? now) >= ORPHAN_GRACE_MS);
    options.found?.(ripe.length);
    for (const machine of ripe) {
      await report(machine);
      const lost = mayBelongToLost(machine.created_at, store.restorations);
      if (policy === "Delete" && !lost && !fleet.breaker.open)
        await remove(fleet, machine, signal).catch((error: unknown) => {
          signal.throwIfAborted();
          log.warn({ machine: machine.id, app, error: messageOf(error) }, "orphan stays until the next look");
        });
    }
  };
}

function uidOf(machine: Machine): string {
  return ownerOf(machine) ?? "";
}
