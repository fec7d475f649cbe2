// One pass over a machine that exists: decide with pure functions, do one thing, report. Before anything that restarts or
// ends a machine it is read again by id, because what a list shows may be old.
import { type Instance, type InstanceStatus, instanceKind } from "../../crds/instance.ts";
import { timestamp } from "../kernel/clock.ts";
import { CONFIRM_MAX_MS, RECORD_EVERY_MS } from "../limits.ts";
import { type Machine, OWNER } from "../machines/wire.ts";
import type { Outcome } from "../runtime/managed.ts";
import { type Activity, activityOf } from "./activity.ts";
import { createActor, LOOK_AGAIN } from "./instance-act.ts";
import { machineConfig } from "./instance-config.ts";
import { adopted } from "./instance-create.ts";
import { type Drift, driftOf } from "./instance-drift.ts";
import { expiryMs } from "./instance-expiry.ts";
import { decideIdle, type IdleDecision, wokenFromOutside } from "./instance-idle.ts";
import type { SeenMachine } from "./instance-observe.ts";
import { type Plan, planMachine } from "./instance-plan.ts";
import { createProber } from "./instance-reach.ts";
import { presentStatus } from "./instance-status.ts";
import { type InstanceWorld, keyOf } from "./instance-world.ts";

export interface Updater {
  update(instance: Instance, seen: SeenMachine, signal: AbortSignal): Promise<Outcome<InstanceStatus>>;
  forget(uid: string): void;
}

const NOBODY: Activity = { busy: [] };

export function createUpdater(world: InstanceWorld): Updater {
  const { machines, fleet, events, clock, store, app } = world;
  const actor = createActor(world);
  const prober = createProber(world);
  /** When the record on the machine was last brought up to date. */
  const recordedAt = new Map<string, number>();
  /** Begins anew with the process, which only waits longer. */
  const createdSince = new Map<string, { readonly id: string; readonly sinceMs: number }>();

  async function update(given: Instance, seen: SeenMachine, signal: AbortSignal): Promise<Outcome<InstanceStatus>> {
    const { machine, duplicates } = seen;
    const instance = given.status?.machine?.id === machine.id ? given : await adopt(given, machine);
    // A list that is behind must not look like somebody who wakes a machine at rest.
    if (wokenFromOutside(instance.status, machine.state) && (await changedSince(machine, signal)))
      return { status: instance.status ?? {}, requeueAfterMs: 0 };
    for (const extra of duplicates) await reap(instance, machine, extra, signal);

    const { uid } = instance.metadata;
    const desired = machineConfig(instance, store.controllerId, world.keysOf(uid));
    const { drift, recordMs } = withRecordInTime(uid, driftOf(desired, machine));
    const { strangeKeys } = drift;
    const activity = await activityFor(
      instance,
      drift.restart.length > 0 || strangeKeys || instance.status?.pending !== undefined,
    );
    const idle = decideIdle(instance, activity, machine.state, clock.now());
    if (idle.mode === "Delete") return deleteIdle(instance, idle);
    const mode = idle.mode;
    const tried = drift.restart.length > 0 ? actor.triedUpdate(instance, desired) : undefined;
    const plan = planMachine({
      instance,
      machine,
      mode,
      drift,
      busy: activity.busy,
      tried,
      createdForMs: createdForMs(uid, machine),
    });

    const stale = disturbs(plan) && (await changedSince(machine, signal));
    const done = stale ? LOOK_AGAIN : await actor.act(instance, machine, plan, desired, signal);
    const serves = mode === "Running" && !disturbs(plan);
    const { reachability, againMs: probeMs } = await prober.probe(instance, machine, { serves, strangeKeys }, signal);
    const status = presentStatus(
      instance,
      { machine, mode, plan, differs: drift.restart, reachability, strangeKeys, nowMs: clock.now() },
      {
        idle: idle.idle,
        expiresAt: expiry(instance),
        pending: pendingOf(instance, plan, clock.now()),
        message: undefined,
        ...done.changes,
      },
    );
    return {
      status: withoutUndefined(status),
      requeueAfterMs: earliest(
        done.requeueAfterMs,
        recordMs,
        probeMs,
        tried?.delayMs,
        until(idle.dueMs),
        until(expiryMs(instance)),
      ),
    };
  }

  async function adopt(instance: Instance, machine: Machine): Promise<Instance> {
    await events.record(
      instance,
      "Normal",
      "MachineAdopted",
      `found machine ${machine.id}, which carries this instance's uid`,
    );
    return { ...instance, status: adopted(instance, instance.status?.provisioning, machine, clock.now()) };
  }

  /** Two machines of one uid are reduced to one, each read again by id first. */
  async function reap(instance: Instance, kept: Machine, extra: Machine, signal: AbortSignal): Promise<void> {
    if (fleet.breaker.open) return;
    const sighting = await fleet.refresh(extra.id, signal);
    if (sighting.presence !== "seen" || sighting.machine.config?.metadata?.[OWNER.uid] !== instance.metadata.uid)
      return;
    if (sighting.machine.state === "destroying") return;
    await machines.destroy(app, extra.id, signal);
    fleet.touch(extra.id);
    await events.record(
      instance,
      "Warning",
      "DuplicateReaped",
      `destroyed machine ${extra.id}: machine ${kept.id} is the one of this instance`,
    );
  }

  /** Also when the answer took so long that it tells of the past: whoever asks looks again. */
  async function changedSince(machine: Machine, signal: AbortSignal): Promise<boolean> {
    const askedMs = clock.monotonic();
    const sighting = await fleet.refresh(machine.id, signal);
    if (sighting.presence !== "seen" || clock.monotonic() - askedMs > CONFIRM_MAX_MS) return true;
    return (
      sighting.machine.state !== machine.state ||
      sighting.machine.instance_id !== machine.instance_id ||
      sighting.machine.host_status !== machine.host_status
    );
  }

  /** The record alone is no hurry: nothing but an adoption reads it. */
  function withRecordInTime(uid: string, drift: Drift): { readonly drift: Drift; readonly recordMs?: number } {
    const { [OWNER.record]: record, ...others } = drift.metadata;
    if (record === undefined) return { drift };
    const nowMs = clock.monotonic();
    const waitMs = (recordedAt.get(uid) ?? Number.NEGATIVE_INFINITY) + RECORD_EVERY_MS - nowMs;
    if (waitMs > 0) return { drift: { ...drift, metadata: others }, recordMs: waitMs };
    recordedAt.set(uid, nowMs);
    return { drift };
  }

  function createdForMs(uid: string, { id, state }: Machine): number {
    const before = createdSince.get(uid);
    if (state !== "created") createdSince.delete(uid);
    else if (before?.id === id) return clock.monotonic() - before.sinceMs;
    else createdSince.set(uid, { id, sinceMs: clock.monotonic() });
    return 0;
  }

  async function activityFor(instance: Instance, matters: boolean): Promise<Activity> {
    if (!instance.spec.idle && !matters) return NOBODY;
    return activityOf(store, instance.metadata.namespace ?? "", instance.metadata.name);
  }

  async function deleteIdle(instance: Instance, { idle }: IdleDecision): Promise<Outcome<InstanceStatus>> {
    await events.record(instance, "Normal", "IdleDeleted", `idle since ${idle?.lastActivity}: deleting`);
    await world.admission.delete(instanceKind, keyOf(instance), { uid: instance.metadata.uid });
    return { status: instance.status ?? {} };
  }

  function until(ms: number | undefined): number | undefined {
    return ms === undefined ? undefined : Math.max(0, ms - clock.now());
  }

  return {
    update,
    forget(uid) {
      createdSince.delete(uid);
      recordedAt.delete(uid);
      actor.forget(uid);
      prober.forget(uid);
    },
  };
}

/** What restarts, stops or ends a machine, or depends on its state: not done on an old read. */
function disturbs(plan: Plan): boolean {
  return (
    plan.do === "start" || plan.do === "stop" || plan.do === "suspend" || plan.do === "update" || plan.do === "replace"
  );
}

function pendingOf(instance: Instance, plan: Plan, nowMs: number): InstanceStatus["pending"] {
  const before = instance.status?.pending;
  switch (plan.do) {
    case "announce":
    case "hold":
      return {
        ...plan.pending,
        announcedAt: before?.action === plan.pending.action ? before.announcedAt : timestamp(nowMs),
      };
    case "leave":
    case "follow":
    case "replace":
      return before;
    default:
      return undefined;
  }
}

function expiry(instance: Instance): string | undefined {
  const at = expiryMs(instance);
  return at === undefined ? undefined : timestamp(at);
}

function earliest(...times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

function withoutUndefined<T extends object>(value: T): T {
  const kept = Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined));
  return kept as T; // only members that are undefined are left out, and they are optional
}
