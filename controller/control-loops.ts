// The control loops of one process and what wakes them: every reconciler over the same store, cloud and machines. What
// they reach the world through comes in as arguments, so that a simulation runs exactly these.
import { instanceKind } from "../crds/instance.ts";
import { KINDS } from "../crds/kinds.ts";
import type { AnyResource } from "../crds/resource.ts";
import type { Admission } from "./admission/admission.ts";
import type { Clock } from "./kernel/clock.ts";
import { lifetime } from "./kernel/lifetime.ts";
import type { Log } from "./kernel/log.ts";
import type { Random } from "./kernel/random.ts";
import type { Machines } from "./machines/machines.ts";
import { instanceTriggers } from "./reconcilers/activity.ts";
import { type Adopt, createAdoption } from "./reconcilers/adoption.ts";
import { createExecutionReconciler } from "./reconcilers/execution.ts";
import { createFleet, type Fleet } from "./reconcilers/fleet.ts";
import { collectGarbage } from "./reconcilers/garbage.ts";
import { createInstanceReconciler } from "./reconcilers/instance.ts";
import type { InstanceWorld } from "./reconcilers/instance-world.ts";
import { createNamespaceReconciler } from "./reconcilers/namespace.ts";
import { createOrphanWatch, type OrphanOptions } from "./reconcilers/orphans.ts";
import { createWorkflowReconciler, workflowTriggers } from "./reconcilers/workflow.ts";
import { createWorkflowRunReconciler, workflowRunTriggers } from "./reconcilers/workflow-run.ts";
import { type Controller, type ControllerOptions, createController } from "./runtime/controller.ts";
import { createEvents } from "./runtime/events.ts";
import { createManager } from "./runtime/manager.ts";
import type { Reconciler, Trigger } from "./runtime/reconciler.ts";
import { createJobs } from "./steps/jobs.ts";
import type { Runners } from "./steps/runners.ts";
import type { Database } from "./store/store.ts";
import type { Reach } from "./transports/transport.ts";

export interface ControlLoopsOptions {
  readonly database: Pick<Database, "store" | "logs">;
  readonly admission: Admission;
  readonly machines: Machines;
  readonly reach: Reach;
  readonly runners: Runners;
  readonly keysOf: InstanceWorld["keysOf"];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The Fly app of the machines. */
  readonly app: string;
  readonly observeIntervalMs: number;
  readonly resyncMs: number;
  /** Of each kind. */
  readonly workers: number;
  readonly orphans: Pick<OrphanOptions, "policy" | "found">;
  readonly observe?: (kind: string, ...seen: Parameters<Observe>) => void;
  fatal(error: Error): void;
}

export interface ControlLoops {
  /** Makes instances anew from machines that have none. */
  readonly adopt: Adopt;
  readonly fleet: Fleet;
  readonly controllers: readonly Controller[];
  /** Resolves when all that was started has ended. */
  close(): Promise<void>;
}

export function startControlLoops(options: ControlLoopsOptions): ControlLoops {
  const { database, admission, machines, reach, runners, keysOf, clock, random, log, app, observe } = options;
  const { store, logs } = database;
  const life = lifetime();
  const manager = createManager();
  const events = createEvents({ admission, clock, log });
  const jobs = createJobs({ runners, reach, logs, clock, random, log });
  const fleet = createFleet({
    machines,
    app,
    controllerId: store.controllerId,
    clock,
    log,
    intervalMs: options.observeIntervalMs,
    wake: (key) => manager.wake(instanceKind.kind, key),
    swept: createOrphanWatch({ store, machines, events, clock, log, app, ...options.orphans }),
  });
  const running = { store, admission, logs, jobs, events, clock, log, app, wake: manager.wake };
  add(
    createInstanceReconciler({ store, admission, machines, fleet, reach, events, clock, log, app, keysOf }),
    instanceTriggers,
  );
  add(createWorkflowReconciler({ store, admission, events, clock }), workflowTriggers);
  add(createWorkflowRunReconciler(running), workflowRunTriggers);
  add(createExecutionReconciler(running), []);
  add(createNamespaceReconciler({ store, admission, kinds: KINDS }), []);

  function add<R extends AnyResource>(reconciler: Reconciler<R>, triggers: readonly Trigger[]): void {
    const { kind } = reconciler.kind;
    const { workers, resyncMs, fatal } = options;
    const seen = observe && { observe: (...args: Parameters<Observe>) => observe(kind, ...args) };
    manager.add(
      createController({ store, clock, random, log, reconciler, triggers, workers, resyncMs, fatal, ...seen }),
    );
  }

  const ended = Promise.all([
    manager.run(life.signal),
    fleet.run(life.signal),
    collectGarbage({ store, admission, kinds: KINDS, clock, random, log }, life.signal),
  ]);

  return {
    adopt: createAdoption({ store, admission, machines, events, clock, app, keysOf }),
    fleet,
    controllers: manager.controllers,
    async close() {
      life.abort(new Error("the controller stops"));
      await jobs.close();
      await ended;
    },
  };
}

type Observe = NonNullable<ControllerOptions<AnyResource>["observe"]>;
