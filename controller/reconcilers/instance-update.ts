// One pass over a machine that exists: decide with pure functions, do one thing, report. Before anything that restarts or
// ends a machine it is read again by id, because what a list shows may be old.
import { type Instance, type InstanceStatus, instanceKind } from "../../crds/instance.ts";
import { type Backoff, backoffMs } from "../kernel/backoff.ts";
import { timestamp, withTimeout } from "../kernel/clock.ts";
import { PROBE_MS } from "../limits.ts";
import { MachinesError } from "../machines/machines.ts";
import { type Machine, OWNER } from "../machines/wire.ts";
import type { Outcome } from "../runtime/managed.ts";
import { type Reachability, targetOf } from "../transports/transport.ts";
import { type Activity, activityOf } from "./activity.ts";
import { machineConfig } from "./instance-config.ts";
import { adopted } from "./instance-create.ts";
import { driftOf } from "./instance-drift.ts";
import { expiryMs } from "./instance-expiry.ts";
import { decideIdle, type IdleDecision } from "./instance-idle.ts";
import type { SeenMachine } from "./instance-observe.ts";
import { isHostUnknown, type Plan, planMachine } from "./instance-plan.ts";
import { presentStatus } from "./instance-status.ts";
import { type InstanceWorld, keyOf } from "./instance-world.ts";

export interface Updater {
  update(instance: Instance, seen: SeenMachine, signal: AbortSignal): Promise<Outcome<InstanceStatus>>;
  forget(uid: string): void;
}

const NOBODY: Activity = { busy: [] };
const PROBE_RETRY_MS = 500;
/** A machine reached by exec only is asked this often whether SSH has come up meanwhile. */
const UPGRADE_MS = 30_000;
const START_BACKOFF: Backoff = { baseMs: 2_000, maxMs: 5 * 60_000 };
const RETRY_MS = 2_000;
const SETTLED_START_MS = 60_000;

/** Annotation whose value is the machine's `instanceId` in status: lets a machine with a changed host key be reached again. */
export const ACKNOWLEDGE_HOST_KEY = "fly.lightfast.ai/acknowledge-host-key";

export function createUpdater(world: InstanceWorld): Updater {
  const { machines, fleet, reach, events, clock, store, app } = world;
  /** Starts in a row of machines that do not stay up; a start that held for a minute clears it. */
  const starts = new Map<string, { count: number; atMs: number }>();
  /** Where a machine was last seen answering; a new address or version is another machine to a connection. */
  const acknowledged = new Map<string, string>();
  const addresses = new Map<string, { id: string; address: string }>();

  async function update(found: Instance, seen: SeenMachine, signal: AbortSignal): Promise<Outcome<InstanceStatus>> {
    const { machine, duplicates } = seen;
    const instance = found.status?.machine?.id === machine.id ? found : await adopt(found, machine);
    for (const extra of duplicates) await reap(instance, machine, extra, signal);

    const desired = machineConfig(instance, store.controllerId, world.keysOf(instance.metadata.uid));
    const drift = driftOf(desired, machine);
    const activity = await activityFor(instance, drift.restart.length > 0);
    const idle = decideIdle(instance, activity, machine.state, clock.now());
    if (idle.mode === "Delete") return deleteIdle(instance, idle);
    const mode = idle.mode;
    const plan = planMachine({ instance, machine, mode, drift, busy: activity.busy, nowMs: clock.now() });

    const stale = disturbs(plan) && (await changedSince(machine, signal));
    const done = stale ? LOOK_AGAIN : await act(instance, machine, plan, signal);
    const reachability = await probe(instance, machine, mode === "Running" && !disturbs(plan), signal);
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
      requeueAfterMs: earliest(
        done.requeueAfterMs,
        nextProbe(reachability),
        until(idle.dueMs),
        until(expiryMs(instance)),
      ),
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

  async function activityFor(instance: Instance, drifts: boolean): Promise<Activity> {
    if (!instance.spec.idle && !drifts) return NOBODY;
    return activityOf(store, instance.metadata.namespace ?? "", instance.metadata.name);
  }

  async function probe(
    instance: Instance,
    machine: Machine,
    wanted: boolean,
    signal: AbortSignal,
  ): Promise<Reachability | undefined> {
    forgetFormer(instance.metadata.uid, machine);
    acknowledge(instance, machine);
    const target = targetOf(app, {
      ...instance,
      status: {
        ...instance.status,
        machine: {
          id: machine.id,
          state: machine.state,
          region: machine.region,
          privateIp: machine.private_ip ?? "",
          instanceId: machine.instance_id,
        },
      },
    });
    if (!wanted || machine.state !== "started" || isHostUnknown(machine) || !target) return undefined;
    return withTimeout(clock, PROBE_MS, "probe", signal, (limit) => reach.probe(target, limit)).catch(
      (error: unknown): Reachability => {
        signal.throwIfAborted();
        return {
          reachable: false,
          reason: "Probing",
          message: `no answer yet: ${error instanceof Error ? error.message : String(error)}`,
        };
      },
    );
  }

  /** The user says by annotation that the machine of this version is known to have another host key: tried afresh, once. */
  function acknowledge({ metadata }: Instance, { id, instance_id }: Machine): void {
    const version = metadata.annotations?.[ACKNOWLEDGE_HOST_KEY];
    if (version === undefined || version !== instance_id || acknowledged.get(metadata.uid) === version) return;
    acknowledged.set(metadata.uid, version);
    reach.acknowledge(id);
  }

  /** Sessions to a former machine, address or version of this instance are of no use. */
  function forgetFormer(uid: string, { id, private_ip, instance_id }: Machine): void {
    const before = addresses.get(uid);
    const address = `${private_ip}/${instance_id}`;
    if (before?.id === id && before.address === address) return;
    if (before) reach.forget(before.id);
    addresses.set(uid, { id, address });
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
      addresses.delete(uid);
      acknowledged.delete(uid);
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

function nextProbe(reachability: Reachability | undefined): number | undefined {
  if (!reachability) return undefined;
  if (reachability.reachable) return reachability.via === "Exec" ? UPGRADE_MS : undefined;
  return reachability.reason === "HostKeyMismatch" ? undefined : PROBE_RETRY_MS;
}

function earliest(...times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

function withoutUndefined<T extends object>(value: T): T {
  const kept = Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined));
  return kept as T; // only members that are undefined are left out, and they are optional
}
