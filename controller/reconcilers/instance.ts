// Makes Fly agree with an Instance. `managed` says when to create, update and delete; the files beside this one say how:
// observe (which machine is it), create (never two), update (one thing at a time), and the pure planning under them.
import { type Instance, type InstanceStatus, instanceKind } from "../../crds/instance.ts";
import { MachinesError } from "../machines/machines.ts";
import { type Machine, OWNER } from "../machines/wire.ts";
import { type External, managed, type Outcome } from "../runtime/managed.ts";
import type { Reconciler } from "../runtime/reconciler.ts";
import { answered, breakerMessage, createMachine } from "./instance-create.ts";
import { expireWhenDue } from "./instance-expiry.ts";
import { createObserver, type SeenMachine } from "./instance-observe.ts";
import { deletingStatus, doubtfulStatus } from "./instance-status.ts";
import { createUpdater } from "./instance-update.ts";
import type { InstanceWorld } from "./instance-world.ts";

export const MACHINE_FINALIZER = "fly.lightfast.ai/machine";

const BREAKER_RETRY_MS = 5000;
const DELETE_RETRY_MS = 2000;

export function createInstanceReconciler(world: InstanceWorld): Reconciler<Instance> {
  const { fleet, machines, reach, events, clock, app } = world;
  const observer = createObserver(world);
  const updater = createUpdater(world);
  const make = createMachine(world);

  function unlessExpired<Rest extends unknown[]>(
    work: (instance: Instance, ...rest: Rest) => Promise<Outcome<InstanceStatus>>,
  ) {
    return async (instance: Instance, ...rest: Rest): Promise<Outcome<InstanceStatus>> => {
      if (await expireWhenDue(world, instance)) return { status: instance.status ?? {} };
      return work(instance, ...rest);
    };
  }

  const external: External<Instance, SeenMachine> = {
    observe: observer.observe,
    create: unlessExpired(make),
    update: unlessExpired(updater.update),
    delete(found, seen, signal) {
      const instance = answered(found, seen.machine);
      const end = instance.spec.deletionPolicy === "Orphan" ? release : destroy;
      return end(instance, seen, signal);
    },
    unknown: (instance, { message }) => doubtfulStatus(instance, "Unconfirmed", message, clock.now()),
  };

  /** Legal in every state of the machine; the finalizer stays until Fly answers `destroyed` by id. */
  async function destroy(
    instance: Instance,
    { machine, duplicates }: SeenMachine,
    signal: AbortSignal,
  ): Promise<Outcome<InstanceStatus>> {
    if (fleet.breaker.open) return deleting(instance, machine, breakerMessage(world), BREAKER_RETRY_MS);
    try {
      for (const each of [machine, ...duplicates]) await destroyOne(instance, each, signal);
      return deleting(instance, machine, `waiting for Fly to destroy machine ${machine.id}`);
    } catch (error) {
      if (!(error instanceof MachinesError)) throw error;
      return deleting(instance, machine, error.said, error.retryAfterMs ?? DELETE_RETRY_MS);
    }
  }

  async function destroyOne(instance: Instance, { id, state }: Machine, signal: AbortSignal): Promise<void> {
    reach.forget(id);
    if (state !== "destroying") {
      await machines.destroy(app, id, signal);
      fleet.touch(id);
      await events.record(instance, "Normal", "MachineDestroyed", `destroying machine ${id}`);
    }
    fleet.follow(id, "destroyed");
  }

  function deleting(
    instance: Instance,
    machine: Machine,
    message: string,
    requeueAfterMs?: number,
  ): Outcome<InstanceStatus> {
    return { status: deletingStatus(instance, machine, message, clock.now()), requeueAfterMs };
  }

  /** deletionPolicy Orphan: the machine lives on, and nothing of us is left on it. */
  async function release(
    instance: Instance,
    { machine, duplicates }: SeenMachine,
    signal: AbortSignal,
  ): Promise<Outcome<InstanceStatus>> {
    const ours = Object.fromEntries(Object.values(OWNER).map((key) => [key, null]));
    try {
      for (const { id } of [machine, ...duplicates]) {
        await machines.patchMetadata(app, id, ours, signal);
        fleet.release(id);
        await events.record(instance, "Normal", "MachineReleased", `machine ${id} lives on without an owner`);
      }
    } catch (error) {
      if (!(error instanceof MachinesError)) throw error;
      if (error.class === "gone") for (const { id } of [machine, ...duplicates]) fleet.touch(id);
      return deleting(instance, machine, error.said, error.retryAfterMs ?? DELETE_RETRY_MS);
    }
    return { status: instance.status ?? {}, requeueAfterMs: 0 };
  }

  return managed({
    kind: instanceKind,
    finalizer: MACHINE_FINALIZER,
    store: world.store,
    admission: world.admission,
    external,
    forget(uid) {
      fleet.forget(uid);
      observer.forget(uid);
      updater.forget(uid);
    },
  });
}
