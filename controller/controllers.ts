// Composes the reconcilers with the world and runs them: who is woken by what, and how many at once.
import { schedule } from "node-cron";
import { instanceKind } from "../crds/instance.ts";
import { KINDS } from "../crds/kinds.ts";
import type { AnyResource } from "../crds/resource.ts";
import type { Admission } from "./admission/admission.ts";
import type { Config } from "./config.ts";
import type { Clock } from "./kernel/clock.ts";
import { messageOf } from "./kernel/errors.ts";
import { lifetime } from "./kernel/lifetime.ts";
import type { Log } from "./kernel/log.ts";
import type { Random } from "./kernel/random.ts";
import { RESYNC_MS } from "./limits.ts";
import type { Machines } from "./machines/machines.ts";
import type { Metrics } from "./metrics.ts";
import { instanceTriggers } from "./reconcilers/activity.ts";
import { createExecutionReconciler } from "./reconcilers/execution.ts";
import { createFleet } from "./reconcilers/fleet.ts";
import { collectGarbage } from "./reconcilers/garbage.ts";
import { expireEvents } from "./reconcilers/housekeeping.ts";
import { createInstanceReconciler } from "./reconcilers/instance.ts";
import { createOrphanWatch } from "./reconcilers/orphans.ts";
import { createWorkflowReconciler, workflowTriggers } from "./reconcilers/workflow.ts";
import { createWorkflowRunReconciler, workflowRunTriggers } from "./reconcilers/workflow-run.ts";
import { createController } from "./runtime/controller.ts";
import { createEvents } from "./runtime/events.ts";
import { createManager } from "./runtime/manager.ts";
import type { Reconciler, Trigger } from "./runtime/reconciler.ts";
import { createJobs } from "./steps/jobs.ts";
import { builtInRunners } from "./steps/runners.ts";
import type { Database } from "./store/store.ts";
import { execTransport } from "./transports/exec.ts";
import { hostKeys } from "./transports/host-key.ts";
import { createReach } from "./transports/pool.ts";
import { readMasterSecret, readOrMakeSshKey } from "./transports/secrets.ts";
import { sshTransport } from "./transports/ssh.ts";

export interface ControllersOptions {
  readonly config: Config;
  readonly database: Database;
  readonly admission: Admission;
  readonly machines: Machines;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  fatal(error: Error): void;
}

export interface Controllers {
  ready(): { readonly ok: boolean; readonly message?: string };
  /** Resolves when all that was started has ended. */
  close(): Promise<void>;
}

/** Workers mostly wait for Fly or for a machine, so there are many of them; they cost nothing while they wait. */
const WORKERS = 256;

/** Hourly, off the full hour, when everybody else's jobs run. */
const HOUSEKEEPING = "17 * * * *";

export function startControllers(options: ControllersOptions): Controllers {
  const { config, database, admission, machines, clock, random, log, metrics } = options;
  const { store, logs } = database;
  const { app } = config.fly;
  const life = lifetime();
  const manager = createManager();
  const events = createEvents({ admission, clock, log });
  const hostKeyOf = hostKeys(readMasterSecret(config.dataDir));
  const sshKey = readOrMakeSshKey(config.ssh.keyPath, config.dataDir);
  const reach = createReach({
    clock,
    log,
    ssh: sshTransport({
      clock,
      privateKey: sshKey.privateKey,
      hostKeyOf,
      readyTimeoutMs: config.ssh.timeoutMs,
    }),
    exec: execTransport({ machines, clock, random }),
  });
  const jobs = createJobs({ runners: builtInRunners, reach, logs, clock, random, log });
  const orphans = createOrphanWatch({
    store,
    machines,
    events,
    clock,
    log,
    app,
    policy: config.orphanPolicy,
    found: metrics.orphans,
  });
  const fleet = createFleet({
    machines,
    app,
    controllerId: store.controllerId,
    clock,
    log,
    intervalMs: config.observeIntervalMs,
    wake: (key) => manager.wake(instanceKind.kind, key),
    swept: orphans,
  });

  const keysOf = (uid: string) => ({
    hostKey: hostKeyOf(uid).privateKey,
    authorizedKeys: `${sshKey.publicKey}\n`,
  });
  const running = { store, admission, logs, jobs, events, clock, log, app, wake: manager.wake };
  run(
    createInstanceReconciler({ store, admission, machines, fleet, reach, events, clock, log, app, keysOf }),
    instanceTriggers,
  );
  run(createWorkflowReconciler({ store, admission, events, clock }), workflowTriggers);
  run(createWorkflowRunReconciler(running), workflowRunTriggers);
  run(createExecutionReconciler(running), []);
  metrics.watch(manager.controllers, () => fleet.breaker.open);

  function run<R extends AnyResource>(reconciler: Reconciler<R>, triggers: readonly Trigger[]): void {
    const { kind } = reconciler.kind;
    manager.add(
      createController({
        store,
        clock,
        random,
        log,
        reconciler,
        triggers,
        workers: WORKERS,
        resyncMs: RESYNC_MS,
        observe: (result, durationMs) => metrics.reconciled(kind, result, durationMs),
        fatal: options.fatal,
      }),
    );
  }

  const housekeeping = schedule(HOUSEKEEPING, () =>
    expireEvents(store, clock).catch((error: unknown) =>
      log.warn({ error: messageOf(error) }, "old events stay until the next hour"),
    ),
  );
  const ended = Promise.all([
    manager.run(life.signal),
    fleet.run(life.signal),
    collectGarbage({ store, admission, kinds: KINDS, clock, log }, life.signal),
  ]);

  return {
    ready: () =>
      fleet.synced ? { ok: true } : { ok: false, message: `the machines of app ${app} have not been listed yet` },
    async close() {
      await housekeeping.stop();
      life.abort(new Error("the controller stops"));
      await jobs.close();
      await ended;
      reach.close();
    },
  };
}
