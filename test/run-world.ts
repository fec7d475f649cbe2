// Runs, workflows and executions on virtual time: the real store, admission, controllers and job watchers, over machines
// whose jobs are records. Instances become Ready by themselves unless a test holds them back.
import type { Propagation } from "../controller/admission/admission.ts";
import { createAdmission } from "../controller/admission/create-admission.ts";
import { lifetime } from "../controller/kernel/lifetime.ts";
import { silentLog } from "../controller/kernel/log.ts";
import { seededRandom } from "../controller/kernel/random.ts";
import { createExecutionReconciler } from "../controller/reconcilers/execution.ts";
import { createWorkflowReconciler, workflowTriggers } from "../controller/reconcilers/workflow.ts";
import { createWorkflowRunReconciler, workflowRunTriggers } from "../controller/reconcilers/workflow-run.ts";
import { withCondition } from "../controller/runtime/conditions.ts";
import { createController } from "../controller/runtime/controller.ts";
import { createEvents } from "../controller/runtime/events.ts";
import { createManager } from "../controller/runtime/manager.ts";
import type { Reconciler, Trigger } from "../controller/runtime/reconciler.ts";
import { createJobs } from "../controller/steps/jobs.ts";
import { openSqlite } from "../controller/store/sqlite.ts";
import { eventKind } from "../crds/event.ts";
import { executionKind } from "../crds/execution.ts";
import { type Instance, instanceKind } from "../crds/instance.ts";
import { KINDS } from "../crds/kinds.ts";
import { namespaceKind } from "../crds/namespace.ts";
import { type AnyResource, API_VERSION, findCondition, type KindDef } from "../crds/resource.ts";
import { workflowKind } from "../crds/workflow.ts";
import { workflowRunKind } from "../crds/workflow-run.ts";
import { fakeMachines } from "./fake-machines.ts";
import { virtualClock } from "./virtual-clock.ts";

export interface RunWorldOptions {
  /** false: every look goes to the machine. */
  readonly watch?: boolean;
  /** Where the database is, for a test that puts another one there; in memory when absent. */
  readonly file?: string;
}

export async function runWorld(options: RunWorldOptions = {}) {
  const clock = virtualClock();
  const random = seededRandom(3);
  const log = silentLog;
  let { database, store, logs, admission } = await openDatabase();
  await admission.create(namespaceKind, { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
  const machines = fakeMachines(clock);
  const fatal: Error[] = [];
  let readiness: "Ready" | "Creating" | "Refused" = "Ready";
  let life = start();

  async function openDatabase() {
    const opened = await openSqlite({ file: options.file ?? ":memory:", clock, random });
    const door = createAdmission({
      store: opened.store,
      kinds: KINDS,
      random,
      defaults: { region: "iad", image: "ubuntu:22.04", size: "shared-cpu-1x", memoryMb: 256 },
    });
    return { database: opened, store: opened.store, logs: opened.logs, admission: door };
  }

  /** Stands for the instance controller: the machine of an instance is named for its uid. */
  const instances: Reconciler<Instance> = {
    kind: instanceKind,
    async reconcile(instance) {
      const { namespace, name, uid, generation } = instance.metadata;
      const ready = readiness === "Ready";
      const condition = {
        type: "Ready",
        status: ready ? "True" : "False",
        reason: readiness,
        message: "as told",
      } as const;
      const conditions = withCondition(
        instance.status?.conditions,
        { ...condition, observedGeneration: generation },
        clock.now(),
      );
      const machine = { id: `m-${uid}`, state: "started", region: "iad", privateIp: "127.64.0.1", instanceId: "v1" };
      const status = { ...instance.status, conditions, ...(ready && { machine }) };
      if (JSON.stringify(status) !== JSON.stringify(instance.status)) {
        await store.updateStatus(instanceKind, { namespace, name }, () => status);
      }
      return { requeueAfterMs: 1000 };
    },
  };

  /** One life of the controller process; everything it remembers ends with it. */
  function start() {
    const ended = lifetime();
    const manager = createManager();
    const jobs = createJobs({ ...machines, logs, clock, random, log, watch: options.watch ?? true });
    const deps = {
      store,
      admission,
      logs,
      jobs,
      events: createEvents({ admission, clock, log }),
      clock,
      log,
      app: "workers",
      wake: manager.wake,
    };
    const add = <R extends AnyResource>(reconciler: Reconciler<R>, triggers: readonly Trigger[] = []) =>
      manager.add(
        createController({
          store,
          clock,
          random,
          log,
          reconciler,
          triggers,
          workers: 4,
          resyncMs: 300_000,
          fatal: (error) => fatal.push(error),
        }),
      );
    add(createWorkflowRunReconciler(deps), workflowRunTriggers);
    add(createWorkflowReconciler(deps), workflowTriggers);
    add(createExecutionReconciler(deps));
    add({ kind: instanceKind, reconcile: (instance, signal) => instances.reconcile(instance, signal) });
    return { stop: () => ended.abort(new Error("killed")), jobs, running: manager.run(ended.signal) };
  }

  const key = (name: string) => ({ namespace: "default", name });
  const get = <R extends AnyResource>(kind: KindDef<R>, name: string) => store.get(kind, key(name));
  const create = <R extends AnyResource>(kind: KindDef<R>, name: string, spec: unknown) =>
    admission.create(kind, {
      apiVersion: API_VERSION,
      kind: kind.kind,
      metadata: { name, namespace: "default" },
      spec,
    });

  return {
    clock,
    machines,
    get database() {
      return database;
    },
    get store() {
      return store;
    },
    get logs() {
      return logs;
    },
    get admission() {
      return admission;
    },
    fatal,
    hold: (state: typeof readiness) => {
      readiness = state;
    },
    workflow: (name: string, spec: Record<string, unknown>) =>
      create(workflowKind, name, { instances: { box: {} }, ...spec }),
    run: (name: string, workflow: string, spec: Record<string, unknown> = {}) =>
      create(workflowRunKind, name, { workflowRef: { name: workflow }, ...spec }),
    instance: (name: string) => create(instanceKind, name, {}),
    execution: (name: string, spec: Record<string, unknown>) =>
      create(executionKind, name, { instance: "box", command: "true", timeoutMs: 30_000, ...spec }),
    get,
    remove: (kind: KindDef, name: string, propagation?: Propagation) =>
      admission.delete(kind, key(name), { propagation }),
    cancel: (name: string) =>
      admission.update(workflowRunKind, key(name), (run) => ({ ...run, spec: { ...run.spec, cancel: true } })),
    /** The steps of a run as `name:state:attempts`. */
    steps: async (name: string) =>
      ((await get(workflowRunKind, name))?.status?.steps ?? []).map(
        (step) => `${step.name}:${step.state}:${step.attempts}`,
      ),
    succeeded: async (name: string) => findCondition((await get(workflowRunKind, name)) ?? {}, "Succeeded"),
    finished: (name: string) =>
      clock.runUntil(
        async () =>
          ["True", "False"].includes(
            findCondition((await get(workflowRunKind, name)) ?? {}, "Succeeded")?.status ?? "",
          ),
        60 * 60_000,
      ),
    log: async (run: string, step: string, attempt = 1) =>
      Buffer.from(
        await logs.read(`${(await get(workflowRunKind, run))?.metadata.uid}/${step}/${attempt}/stdout`, 0, 1e6),
      ).toString(),
    events: async () => (await store.list(eventKind)).items.map((event) => event.reason),
    /** The process dies between two lines and comes back. */
    async restart(): Promise<void> {
      life.stop();
      await life.jobs.close();
      life = start();
      await clock.settle();
    },
    /** The process ends, `change` has the file for itself, and another process begins with what is there then. */
    async reopened(change: () => Promise<void>): Promise<void> {
      life.stop();
      await life.jobs.close();
      await life.running;
      await database.close();
      await change();
      ({ database, store, logs, admission } = await openDatabase());
      life = start();
      await clock.settle();
    },
    async close(): Promise<void> {
      life.stop();
      await life.jobs.close();
      await life.running;
      await database.close();
      if (fatal[0]) throw fatal[0];
    },
  };
}

export type RunWorld = Awaited<ReturnType<typeof runWorld>>;
