// Makes Fly agree with an Instance. `managed` says when to create, update and delete; the files beside this one say how:
// observe (which machine is it), create (never two), update (one thing at a time), and the pure planning under them.
import { type Instance, type InstanceStatus, instanceKind } from "../../crds/instance.ts";
import { OWNER } from "../machines/wire.ts";
import { type External, managed, type Outcome } from "../runtime/managed.ts";
import type { Reconciler } from "../runtime/reconciler.ts";
import { createMachine } from "./instance-create.ts";
import { expireWhenDue } from "./instance-expiry.ts";
import { createObserver, type SeenMachine } from "./instance-observe.ts";
import { doubtfulStatus, presentStatus } from "./instance-status.ts";
import { createUpdater } from "./instance-update.ts";
import type { InstanceWorld } from "./instance-world.ts";

export const MACHINE_FINALIZER = "fly.lightfast.ai/machine";

const BREAKER_RETRY_MS = 5000;

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
    delete: (instance, seen, signal) =>
      instance.spec.deletionPolicy === "Orphan" ? release(instance, seen, signal) : destroy(instance, seen, signal),
    unknown: (instance, { message }) => doubtfulStatus(instance, "Unconfirmed", message, clock.now()),
  };

  /** Legal in every state of the machine; the finalizer stays until Fly answers `destroyed` by id. */
  async function destroy(
    instance: Instance,
    { machine, duplicates }: SeenMachine,
    signal: AbortSignal,
  ): Promise<Outcome<InstanceStatus>> {
    const status = presentStatus(
      instance,
      { machine, mode: instance.spec.operatingMode, plan: { do: "follow", state: "destroyed" }, nowMs: clock.now() },
      {},
    );
    if (fleet.breaker.open) return { status, requeueAfterMs: BREAKER_RETRY_MS };
    for (const { id, state } of [machine, ...duplicates]) {
      reach.forget(id);
      if (state !== "destroying") {
        await machines.destroy(app, id, signal);
        fleet.touch(id);
        await events.record(instance, "Normal", "MachineDestroyed", `destroying machine ${id}`);
      }
      fleet.follow(id, "destroyed");
    }
    return { status };
  }

  /** deletionPolicy Orphan: the machine lives on, and nothing of us is left on it. */
  async function release(
    instance: Instance,
    { machine, duplicates }: SeenMachine,
    signal: AbortSignal,
  ): Promise<Outcome<InstanceStatus>> {
    const ours = Object.fromEntries(Object.values(OWNER).map((key) => [key, null]));
    for (const { id } of [machine, ...duplicates]) {
      await machines.patchMetadata(app, id, ours, signal);
      fleet.release(id);
      await events.record(instance, "Normal", "MachineReleased", `machine ${id} lives on without an owner`);
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
