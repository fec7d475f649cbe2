// One pass over a machine that exists: decide with pure functions, do one thing, report. Before anything that restarts or
// ends a machine it is read again by id, because what a list shows may be old.
import { type Instance, type InstanceStatus, instanceKind } from "../../crds/instance.ts";
import { type Backoff, backoffMs } from "../kernel/backoff.ts";
import { timestamp } from "../kernel/clock.ts";
import { MachinesError } from "../machines/machines.ts";
import { type Machine, OWNER } from "../machines/wire.ts";
import type { Outcome } from "../runtime/managed.ts";
import { type Activity, activityOf } from "./activity.ts";
import { machineConfig } from "./instance-config.ts";
import { adopted } from "./instance-create.ts";
import { driftOf } from "./instance-drift.ts";
import { expiryMs } from "./instance-expiry.ts";
import { decideIdle, type IdleDecision } from "./instance-idle.ts";
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
const START_BACKOFF: Backoff = { baseMs: 2_000, maxMs: 5 * 60_000 };
const RETRY_MS = 2_000;
const SETTLED_START_MS = 60_000;

export function createUpdater(world: InstanceWorld): Updater {
  const { machines, fleet, reach, events, clock, store, app } = world;
  /** Starts in a row of machines that do not stay up; a start that held for a minute clears it. */
  const starts = new Map<string, { count: number; atMs: number }>();
  const prober = createProber(world);

  async function update(given: Instance, seen: SeenMachine, signal: AbortSignal): Promise<Outcome<InstanceStatus>> {
    const { machine, duplicates } = seen;
    const instance = given.status?.machine?.id === machine.id ? given : await adopt(given, machine);
    for (const extra of duplicates) await reap(instance, machine, extra, signal);

    const desired = machineConfig(instance, store.controllerId, world.keysOf(instance.metadata.uid));
    const drift = driftOf(desired, machine);
    const activity = await activityFor(instance, drift.restart.length > 0 || instance.status?.pending !== undefined);
    const idle = decideIdle(instance, activity, machine.state, clock.now());
    if (idle.mode === "Delete") return deleteIdle(instance, idle);
    const mode = idle.mode;
    const plan = planMachine({ instance, machine, mode, drift, busy: activity.busy, nowMs: clock.now() });

    const stale = disturbs(plan) && (await changedSince(machine, signal));
    const done = stale ? LOOK_AGAIN : await act(instance, machine, plan, signal);
    const serves = mode === "Running" && !disturbs(plan);
    const { reachability, againMs } = await prober.probe(instance, machine, serves, signal);
    const status = presentStatus(
      instance,
      { machine, mode, plan, reachability, nowMs: clock.now() },
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
      requeueAfterMs: earliest(done.requeueAfterMs, againMs, until(idle.dueMs), until(expiryMs(instance))),
    };
  }

  interface Done {
    readonly requeueAfterMs?: number | undefined;
    readonly changes?: Partial<InstanceStatus>;
  }
  const LOOK_AGAIN: Done = { requeueAfterMs: 0 };

  async function act(instance: Instance, machine: Machine, plan: Plan, signal: AbortSignal): Promise<Done> {
    try {
      return await carryOut(instance, machine, plan, signal);
    } catch (error) {
      if (!(error instanceof MachinesError)) throw error;
      return refusedBy(instance, machine, plan, error);
    }
  }

  async function carryOut(instance: Instance, machine: Machine, plan: Plan, signal: AbortSignal): Promise<Done> {
    const { id } = machine;
    switch (plan.do) {
      case "settle":
      case "hold":
      case "leave":
        return {};
      case "follow":
        fleet.follow(id, plan.state);
        return {};
      case "announce":
        await events.record(instance, "Normal", `${plan.pending.action}Announced`, plan.pending.message);
        return LOOK_AGAIN;
      case "label":
        await machines.patchMetadata(app, id, plan.metadata, signal);
        fleet.touch(id);
        return LOOK_AGAIN;
      case "start": {
        const delay = startDelay(instance);
        if (delay > 0) return { requeueAfterMs: delay };
        await machines.start(app, id, signal);
        started(instance);
        return changed(id, "started");
      }
      case "stop":
        reach.forget(id);
        await machines.stop(app, id, signal);
        return changed(id, "stopped");
      case "suspend":
        reach.forget(id);
        await machines.suspend(app, id, signal);
        return changed(id, "suspended");
      case "update":
        return rewrite(instance, machine, plan, signal);
      case "replace":
        if (fleet.breaker.open) return { requeueAfterMs: RETRY_MS };
        await events.record(instance, "Warning", "Replacing", `destroying machine ${id} to make another: ${plan.why}`);
        reach.forget(id);
        await machines.destroy(app, id, signal);
        return changed(id, "destroyed");
    }
  }

  async function rewrite(
    instance: Instance,
    machine: Machine,
    plan: Extract<Plan, { do: "update" }>,
    signal: AbortSignal,
  ): Promise<Done> {
    const config = machineConfig(instance, store.controllerId, world.keysOf(instance.metadata.uid));
    const foreign = Object.entries(machine.config?.metadata ?? {}).filter(([key]) => !(key in (config.metadata ?? {})));
    reach.forget(machine.id);
    const updated = await machines.update(
      app,
      machine.id,
      {
        config: { ...config, metadata: { ...Object.fromEntries(foreign), ...config.metadata } },
        currentVersion: machine.instance_id,
        skipLaunch: plan.skipLaunch,
      },
      signal,
    );
    fleet.note(updated);
    await events.record(instance, "Normal", "Updated", `updated ${plan.fields.join(", ")} of machine ${machine.id}`);
    fleet.follow(machine.id, plan.skipLaunch ? "settled" : "started");
    return {};
  }

  function changed(id: string, state: "started" | "stopped" | "suspended" | "destroyed"): Done {
    fleet.touch(id);
    fleet.follow(id, state);
    return {};
  }

  async function refusedBy(instance: Instance, machine: Machine, plan: Plan, error: MachinesError): Promise<Done> {
    fleet.touch(machine.id);
    if (error.class === "gone") return LOOK_AGAIN;
    if (
      error.class === "capacity" &&
      (plan.do === "update" || plan.do === "start") &&
      instance.spec.rootfs.persist === "Never"
    ) {
      await events.record(instance, "Warning", "HostFull", error.message);
      const fields = plan.do === "update" ? [...plan.fields] : [];
      const message = `the host of machine ${machine.id} is full; making another machine erases its root file system`;
      return {
        requeueAfterMs: RETRY_MS,
        changes: { pending: { action: "Replace", fields, message, announcedAt: timestamp(clock.now()) } },
      };
    }
    if (error.class === "refused") await events.record(instance, "Warning", "Refused", error.message);
    if (plan.do === "suspend" && error.class === "refused") {
      await machines.stop(app, machine.id, new AbortController().signal);
      return changed(machine.id, "stopped");
    }
    return {
      requeueAfterMs: error.retryAfterMs ?? (error.class === "refused" ? 60_000 : RETRY_MS),
      changes: { message: error.message },
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

  async function changedSince(machine: Machine, signal: AbortSignal): Promise<boolean> {
    const sighting = await fleet.refresh(machine.id, signal);
    if (sighting.presence !== "seen") return true;
    return (
      sighting.machine.state !== machine.state ||
      sighting.machine.instance_id !== machine.instance_id ||
      sighting.machine.host_status !== machine.host_status
    );
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

  function startDelay({ metadata }: Instance): number {
    const before = starts.get(metadata.uid);
    if (!before) return 0;
    return before.atMs + backoffMs(START_BACKOFF, before.count) - clock.monotonic();
  }

  function started({ metadata }: Instance): void {
    const before = starts.get(metadata.uid);
    const atMs = clock.monotonic();
    const count = before && atMs - before.atMs < SETTLED_START_MS ? before.count + 1 : 1;
    starts.set(metadata.uid, { count, atMs });
  }

  function until(ms: number | undefined): number | undefined {
    return ms === undefined ? undefined : Math.max(0, ms - clock.now());
  }

  return {
    update,
    forget(uid) {
      starts.delete(uid);
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
