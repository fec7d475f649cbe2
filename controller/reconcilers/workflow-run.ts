// Brings a run to its end: looks at its instances and at the attempts that run, plans, writes status once, and only then
// sends what was decided. What is written is found again by the next pass, in this process or another, so no attempt is
// sent that nobody knows of; and it names the boot that the attempt may begin in, so that none begins twice.
import { instanceKind } from "../../crds/instance.ts";
import { findCondition, ORPHAN_FINALIZER } from "../../crds/resource.ts";
import { workflowKind } from "../../crds/workflow.ts";
import {
  RUN_FINALIZER,
  RUN_LABEL,
  type StepStatus,
  type WorkflowRun,
  type WorkflowRunStatus,
  workflowRunKind,
} from "../../crds/workflow-run.ts";
import type { Admission } from "../admission/admission.ts";
import { type Clock, preciseTimestamp } from "../kernel/clock.ts";
import { messageOf } from "../kernel/errors.ts";
import { jsonEqual } from "../kernel/json.ts";
import type { Log } from "../kernel/log.ts";
import { STEP_GRACE_MS, STEP_POLL_MS } from "../limits.ts";
import type { Events } from "../runtime/events.ts";
import { dropFinalizer, keepFinalizer } from "../runtime/finalizer.ts";
import type { ReconcileResult, Reconciler, Trigger } from "../runtime/reconciler.ts";
import type { Job, Jobs } from "../steps/jobs.ts";
import type { Key, LogStore, Store } from "../store/store.ts";
import { targetOf } from "../transports/transport.ts";
import { untilDueMs } from "./pace.ts";
import { isPassing } from "./passing.ts";
import { bootThatKnows, explained } from "./restored.ts";
import { runEvents } from "./run-events.ts";
import { createRunInstances, type RunInstance } from "./run-instances.ts";
import { instanceKeyOf, planRun, type RunPlan } from "./run-plan.ts";
import { firstStatus, withVerdict } from "./run-start.ts";
import type { AttemptView } from "./step-plan.ts";

export interface WorkflowRunDeps {
  readonly store: Store;
  readonly admission: Admission;
  readonly logs: LogStore;
  readonly jobs: Jobs;
  readonly events: Events;
  readonly clock: Clock;
  readonly log: Log;
  /** The Fly app of the machines. */
  readonly app: string;
  wake(kind: string, key: Key): void;
}

/** Instances wake the run that owns them; one that is only referred to is found by polling. */
export const workflowRunTriggers: readonly Trigger[] = [
  {
    kind: instanceKind,
    names: ({ metadata }) => {
      const name = metadata.labels?.[RUN_LABEL];
      return name === undefined ? [] : [{ namespace: metadata.namespace, name }];
    },
  },
];

type Instances = ReadonlyMap<string, RunInstance>;

export function createWorkflowRunReconciler(deps: WorkflowRunDeps): Reconciler<WorkflowRun> {
  const { store, admission, logs, jobs, events, clock } = deps;
  const instancesOf = createRunInstances(store, admission);

  async function reconcile(found: WorkflowRun, signal: AbortSignal): Promise<ReconcileResult> {
    const deleting = found.metadata.deletionTimestamp !== undefined;
    if (deleting && !found.metadata.finalizers?.includes(RUN_FINALIZER)) return {};
    const run = deleting ? found : await keepFinalizer(admission, workflowRunKind, found, RUN_FINALIZER);
    if (isFinished(run)) return finish(run, deleting);
    if (!run.status?.definition) return begin(run);
    return advance(run, signal);
  }

  async function begin(run: WorkflowRun): Promise<ReconcileResult> {
    const workflow = await store.get(workflowKind, {
      namespace: run.metadata.namespace,
      name: run.spec.workflowRef.name,
    });
    await commit(run, firstStatus(run, workflow, clock.now()));
    return { requeueAfterMs: workflow ? 0 : STEP_POLL_MS };
  }

  async function advance(run: WorkflowRun, signal: AbortSignal): Promise<ReconcileResult> {
    const cancelled = run.spec.cancel || run.metadata.deletionTimestamp !== undefined;
    const definition = run.status?.definition?.spec;
    if (!definition) return {};
    const instances = await instancesOf.look(run, !cancelled, clock.now());
    const attempts = await lookAtAttempts(run, instances, signal);
    const nowMs = clock.now();
    const decided = planRun({
      definition,
      steps: run.status?.steps ?? [],
      startedMs: Date.parse(run.status?.startedAt ?? ""),
      instances: new Map([...instances].map(([key, { view }]) => [key, view])),
      attempts,
      cancelled,
      nowMs,
    });
    const plan = { ...decided, steps: await withBoots(run, decided, instances, signal) };
    const next = await commit(run, statusOf(run, plan, nowMs));
    if (isFinished(next)) await freeMachines(next, instances, signal);
    else await act(next, plan, instances, signal);
    return { requeueAfterMs: isFinished(next) ? 0 : untilDueMs(plan.dueAtMs, nowMs, clock.now()) };
  }

  /** Everything that a finished run still owes: its machines, and when it is deleted its logs. */
  async function finish(run: WorkflowRun, deleting: boolean): Promise<ReconcileResult> {
    jobs.forget(run.metadata.uid);
    const cleanup = run.status?.definition?.spec.cleanup ?? "Always";
    const succeeded = findCondition(run, "Succeeded")?.status === "True";
    // Whoever deletes a run and orphans what it has made wants the machines.
    const orphaned = run.metadata.finalizers?.includes(ORPHAN_FINALIZER);
    if (cleanup === "Never" || orphaned) await instancesOf.keep(run);
    else if (cleanup === "Always" || succeeded || deleting) await instancesOf.remove(run);
    if (!deleting) return {};
    await logs.drop(`${run.metadata.uid}/`);
    await dropFinalizer(admission, workflowRunKind, run, RUN_FINALIZER);
    return {};
  }

  async function commit(run: WorkflowRun, status: WorkflowRunStatus): Promise<WorkflowRun> {
    if (jsonEqual(run.status ?? {}, status)) return run;
    const { namespace, name, uid, resourceVersion } = run.metadata;
    const next = await store.updateStatus(workflowRunKind, { namespace, name }, () => status, { uid, resourceVersion });
    for (const { type, reason, message } of runEvents(run, next)) await events.record(run, type, reason, message);
    return next;
  }

  async function lookAtAttempts(
    run: WorkflowRun,
    instances: Instances,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, AttemptView>> {
    const running = (run.status?.steps ?? []).filter((step) => step.state === "Running");
    const views = await Promise.all(
      running.map(async (step) => [step.name, await view(run, step, instances, signal)] as const),
    );
    return new Map(views);
  }

  async function view(
    run: WorkflowRun,
    step: StepStatus,
    instances: Instances,
    signal: AbortSignal,
  ): Promise<AttemptView> {
    const instance = instanceOf(run, step, instances);
    if (!instance) return { state: "Lost", message: `instance ${step.instance} is gone` };
    const machineId = instance.status?.machine?.id;
    if (machineId !== step.machineId) {
      const now = machineId === undefined ? "" : `; instance ${step.instance} has machine ${machineId} now`;
      return { state: "Lost", message: `machine ${step.machineId} is gone${now}` };
    }
    const job = jobOf(run, step, instances);
    if (!job) return { state: "Unreachable", message: `instance ${step.instance} has no machine` };
    try {
      return explained(await jobs.look(job, signal), step.bootId);
    } catch (error) {
      if (!isPassing(error)) throw error;
      return { state: "Unreachable", message: messageOf(error) };
    }
  }

  /** Attempts that are to be sent, committed to the boot their machine is in. One that does not answer is asked again. */
  async function withBoots(
    run: WorkflowRun,
    { steps, start: names }: RunPlan,
    instances: Instances,
    signal: AbortSignal,
  ): Promise<readonly StepStatus[]> {
    return Promise.all(
      steps.map(async (step) => {
        const job = jobOf(run, step, instances);
        if (!names.includes(step.name) || step.bootId !== undefined || !job) return step;
        try {
          return { ...step, bootId: bootBefore(run, step) ?? (await jobs.bootId(job, signal)) };
        } catch (error) {
          if (!isPassing(error)) throw error;
          return step;
        }
      }),
    );
  }

  /** Undefined where nothing has been restored since the run was made, or being lost is no reason not to try again. */
  function bootBefore(run: WorkflowRun, { name, attempts, machineId }: StepStatus): string | undefined {
    const definition = run.status?.definition?.spec.steps.find((each) => each.name === name);
    if (attempts > 1 && definition?.retry.on.includes("Lost")) return undefined;
    const known = run.status?.steps?.find((each) => each.machineId === machineId && each.bootId !== undefined);
    return bootThatKnows(run.metadata, known?.bootId, store.restorations);
  }

  /** Sends what is written down. One machine that does not answer holds up no other; the next pass tries again. */
  async function act(run: WorkflowRun, plan: RunPlan, instances: Instances, signal: AbortSignal): Promise<void> {
    const steps = new Map(plan.steps.map((step) => [step.name, step]));
    const work = [
      ...plan.start.map((name) => ({ name, send: (step: StepStatus) => start(run, step, instances, signal) })),
      ...plan.cancel.map((name) => ({ name, send: (step: StepStatus) => cancel(run, step, instances, signal) })),
    ];
    const results = await Promise.allSettled(
      work.map(async ({ name, send }) => {
        const step = steps.get(name);
        if (step) await send(step);
      }),
    );
    for (const result of results) {
      if (result.status === "fulfilled") continue;
      if (!isPassing(result.reason)) throw result.reason;
      deps.log.warn(
        { run: run.metadata.name, error: messageOf(result.reason) },
        "a step could not be sent; trying again",
      );
    }
  }

  async function start(run: WorkflowRun, step: StepStatus, instances: Instances, signal: AbortSignal): Promise<void> {
    const job = jobOf(run, step, instances);
    const definition = run.status?.definition?.spec.steps.find((each) => each.name === step.name);
    const { bootId } = step;
    if (!job || !definition || bootId === undefined || !(await isFormerOver(job, signal))) return;
    const environment = { ...run.status?.parameters, ...definition.env };
    const observation = await jobs.start(job, { run: definition.run }, { environment, bootId }, signal);
    if (observation.state !== "Running" && observation.state !== "Absent") job.wake();
  }

  /** An attempt that was given up while nobody could see it may still run: the next one must not run beside it. */
  async function isFormerOver(job: Job, signal: AbortSignal): Promise<boolean> {
    if (job.key.attempt === 1) return true;
    const former = { ...job, key: { ...job.key, attempt: job.key.attempt - 1 } };
    return (await jobs.cancel(former, STEP_GRACE_MS, signal)).state !== "Running";
  }

  async function cancel(run: WorkflowRun, step: StepStatus, instances: Instances, signal: AbortSignal): Promise<void> {
    const job = jobOf(run, step, instances);
    if (!job) return;
    const observation = await jobs.cancel(job, STEP_GRACE_MS, signal);
    if (observation.state !== "Running") job.wake();
  }

  /** Best effort, once: what jobs leave on machines that outlive the run. */
  async function freeMachines(run: WorkflowRun, instances: Instances, signal: AbortSignal): Promise<void> {
    const stays = run.status?.definition?.spec.cleanup === "Never";
    const definitions = run.status?.definition?.spec.instances ?? {};
    for (const step of run.status?.steps ?? []) {
      const key = keyOfStep(run, step);
      if (!stays && definitions[key]?.ref === undefined) continue;
      for (let attempt = 1; attempt <= step.attempts; attempt += 1) {
        const job = jobOf(run, { ...step, attempts: attempt }, instances);
        if (!job || job.target.machineId !== step.machineId) continue;
        try {
          await jobs.release(job, signal);
        } catch (error) {
          deps.log.debug(
            { run: run.metadata.name, error: messageOf(error) },
            "files of a finished step stay on its machine",
          );
          return;
        }
      }
    }
  }

  function jobOf(run: WorkflowRun, step: StepStatus, instances: Instances): Job | undefined {
    const instance = instanceOf(run, step, instances);
    const target = instance && targetOf(deps.app, instance);
    if (!target) return undefined;
    const { uid, namespace, name } = run.metadata;
    const key = { run: uid, step: step.name, attempt: step.attempts };
    return { key, uses: "shell", target, wake: () => deps.wake(workflowRunKind.kind, { namespace, name }) };
  }

  return { kind: workflowRunKind, reconcile, forget: (uid) => jobs.forget(uid) };
}

function statusOf(run: WorkflowRun, plan: RunPlan, nowMs: number): WorkflowRunStatus {
  const status = { ...withVerdict(run, plan.verdict, nowMs), steps: [...plan.steps] };
  return plan.verdict.status === "Unknown" ? status : { ...status, finishedAt: preciseTimestamp(nowMs) };
}

/** Timers in the definition count exactly; everything else is polled, in case no watcher reports. */
function isFinished(run: WorkflowRun): boolean {
  const succeeded = findCondition(run, "Succeeded");
  return succeeded !== undefined && succeeded.status !== "Unknown";
}

function keyOfStep(run: WorkflowRun, step: StepStatus): string {
  const definition = run.status?.definition?.spec;
  const found = definition?.steps.find((each) => each.name === step.name);
  return definition && found ? instanceKeyOf(found, definition) : "";
}

function instanceOf(run: WorkflowRun, step: StepStatus, instances: Instances) {
  return instances.get(keyOfStep(run, step))?.instance;
}
