// Does one planned thing to a machine, and says what a refusal means. What did not help is not done again at once.
import type { Instance, InstanceStatus } from "../../crds/instance.ts";
import type { Backoff } from "../kernel/backoff.ts";
import { timestamp } from "../kernel/clock.ts";
import { jsonHash } from "../kernel/json.ts";
import { MachinesError, type MachinesErrorClass } from "../machines/machines.ts";
import type { Machine, MachineConfig } from "../machines/wire.ts";
import type { Plan } from "./instance-plan.ts";
import type { InstanceWorld } from "./instance-world.ts";
import { createPace } from "./pace.ts";
import { refusal } from "./refused-field.ts";

export interface Done {
  readonly requeueAfterMs?: number | undefined;
  readonly changes?: Partial<InstanceStatus>;
}

export const LOOK_AGAIN: Done = { requeueAfterMs: 0 };

export interface TriedUpdate {
  readonly delayMs: number;
  readonly refused?: string | undefined;
}

export interface Actor {
  act(instance: Instance, machine: Machine, plan: Plan, desired: MachineConfig, signal: AbortSignal): Promise<Done>;
  /** An update to this configuration that did not help: how long the next one has to wait, and what Fly said if it refused it. */
  triedUpdate(instance: Instance, desired: MachineConfig): TriedUpdate | undefined;
  forget(uid: string): void;
}

/** A machine that does not stay up. */
const START_BACKOFF: Backoff = { baseMs: 2_000, maxMs: 5 * 60_000 };
const START_HELD_MS = 60_000;
/** A difference that Fly makes itself would restart the machine for ever. */
const UPDATE_BACKOFF: Backoff = { baseMs: 60_000, maxMs: 60 * 60_000 };
const UPDATE_HELD_MS = 10 * 60_000;

const BREAKER_RETRY_MS = 5_000;
/** When the same call is worth another try. */
const RETRY_MS: Readonly<Record<MachinesErrorClass, number>> = {
  gone: 0,
  exists: 2_000,
  conflict: 2_000,
  throttled: 2_000,
  down: 2_000,
  capacity: 30_000,
  refused: 60_000,
};

export function createActor(world: InstanceWorld): Actor {
  const { machines, fleet, reach, events, clock, app, log } = world;
  const starts = createPace(clock, START_BACKOFF, START_HELD_MS);
  const updates = createPace(clock, UPDATE_BACKOFF, UPDATE_HELD_MS);
  /** What Fly said to the last update of an instance, when it refused it. */
  const refusals = new Map<string, string>();

  async function act(
    instance: Instance,
    machine: Machine,
    plan: Plan,
    desired: MachineConfig,
    signal: AbortSignal,
  ): Promise<Done> {
    try {
      return await carryOut(instance, machine, plan, desired, signal);
    } catch (error) {
      if (!(error instanceof MachinesError)) throw error;
      log.info({ machine: machine.id, plan: plan.do, error: error.message }, "call failed");
      return refusedBy(instance, machine, plan, desired, error, signal);
    }
  }

  async function carryOut(
    instance: Instance,
    machine: Machine,
    plan: Plan,
    desired: MachineConfig,
    signal: AbortSignal,
  ): Promise<Done> {
    const { uid } = instance.metadata;
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
        const delay = starts.delayMs(uid, id);
        if (delay > 0) return { requeueAfterMs: delay };
        await machines.start(app, id, signal);
        starts.done(uid, id);
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
        return rewrite(instance, machine, plan, desired, signal);
      case "replace":
        if (fleet.breaker.open) return { requeueAfterMs: BREAKER_RETRY_MS };
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
    config: MachineConfig,
    signal: AbortSignal,
  ): Promise<Done> {
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
    refusals.delete(instance.metadata.uid);
    updates.done(instance.metadata.uid, jsonHash(config));
    await events.record(instance, "Normal", "Updated", `updated ${plan.fields.join(", ")} of machine ${machine.id}`);
    fleet.follow(machine.id, plan.skipLaunch ? "settled" : "started");
    return {};
  }

  function changed(id: string, state: "started" | "stopped" | "suspended" | "destroyed"): Done {
    fleet.touch(id);
    fleet.follow(id, state);
    return {};
  }

  async function refusedBy(
    instance: Instance,
    machine: Machine,
    plan: Plan,
    desired: MachineConfig,
    error: MachinesError,
    signal: AbortSignal,
  ): Promise<Done> {
    fleet.touch(machine.id);
    if (error.class === "gone") return LOOK_AGAIN;
    if (
      error.class === "capacity" &&
      (plan.do === "update" || plan.do === "start") &&
      instance.spec.rootfs.persist === "Never"
    ) {
      await events.record(instance, "Warning", "HostFull", error.said);
      const fields = plan.do === "update" ? [...plan.fields] : [];
      const message = `the host of machine ${machine.id} is full; making another machine erases its root file system`;
      return {
        requeueAfterMs: RETRY_MS.conflict,
        changes: { pending: { action: "Replace", fields, message, announcedAt: timestamp(clock.now()) } },
      };
    }
    if (error.class === "refused") await events.record(instance, "Warning", "Refused", error.said);
    if (plan.do === "suspend" && error.class === "refused") {
      await machines.stop(app, machine.id, signal);
      return changed(machine.id, "stopped");
    }
    if (plan.do === "update" && error.class === "refused") {
      refusals.set(instance.metadata.uid, refusal(error.said));
      updates.done(instance.metadata.uid, jsonHash(desired));
      return LOOK_AGAIN;
    }
    return {
      requeueAfterMs: error.retryAfterMs ?? RETRY_MS[error.class],
      changes: { message: error.said },
    };
  }

  return {
    act,
    triedUpdate({ metadata: { uid } }, desired) {
      const delayMs = updates.delayMs(uid, jsonHash(desired));
      return delayMs > 0 ? { delayMs, refused: refusals.get(uid) } : undefined;
    },
    forget(uid) {
      starts.forget(uid);
      updates.forget(uid);
      refusals.delete(uid);
    },
  };
}
