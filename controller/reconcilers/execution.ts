// Brings one command on an instance to its end. Written down before it is sent, with the boot that it may begin in, and
// found again by any later pass; an execution that is over is kept for a while and then deletes itself.
import {
  EXECUTION_FINALIZER,
  EXECUTION_STEP,
  type Execution,
  type ExecutionStatus,
  executionKind,
} from "../../crds/execution.ts";
import { type Instance, instanceKind } from "../../crds/instance.ts";
import { findCondition } from "../../crds/resource.ts";
import type { Admission } from "../admission/admission.ts";
import { type Clock, preciseTimestamp } from "../kernel/clock.ts";
import { messageOf } from "../kernel/errors.ts";
import { jsonEqual } from "../kernel/json.ts";
import type { Log } from "../kernel/log.ts";
import { EXECUTION_GRACE_MS, EXECUTION_RETENTION_MS, STEP_POLL_MS } from "../limits.ts";
import { dropFinalizer, keepFinalizer } from "../runtime/finalizer.ts";
import type { ReconcileResult, Reconciler } from "../runtime/reconciler.ts";
import type { Job, Jobs } from "../steps/jobs.ts";
import type { Key, LogStore, Store } from "../store/store.ts";
import { TransportError, targetOf } from "../transports/transport.ts";
import { type ExecutionPlan, planExecution } from "./execution-plan.ts";
import { untilDueMs } from "./pace.ts";
import { isPassing } from "./passing.ts";
import { bootThatKnows, explained } from "./restored.ts";
import type { AttemptView } from "./step-plan.ts";

export interface ExecutionDeps {
  readonly store: Store;
  readonly admission: Admission;
  readonly logs: LogStore;
  readonly jobs: Jobs;
  readonly clock: Clock;
  readonly log: Log;
  /** The Fly app of the machines. */
  readonly app: string;
  wake(kind: string, key: Key): void;
}

export function createExecutionReconciler(deps: ExecutionDeps): Reconciler<Execution> {
  const { store, admission, logs, jobs, clock } = deps;

  async function reconcile(found: Execution, signal: AbortSignal): Promise<ReconcileResult> {
    const deleting = found.metadata.deletionTimestamp !== undefined;
    if (deleting && !found.metadata.finalizers?.includes(EXECUTION_FINALIZER)) return {};
    const execution = deleting ? found : await keepFinalizer(admission, executionKind, found, EXECUTION_FINALIZER);
    const { namespace } = execution.metadata;
    const instance = await store.get(instanceKind, { namespace, name: execution.spec.instance });
    if (!execution.status) return begin(execution, instance, signal);
    if (execution.status.state !== "Running") return retire(execution, deleting);
    return advance(execution, instance, signal);
  }

  async function begin(execution: Execution, instance: Instance | undefined, signal: AbortSignal) {
    const now = preciseTimestamp(clock.now());
    if (execution.spec.cancel || execution.metadata.deletionTimestamp) {
      return settle(execution, { state: "Cancelled", completedAt: now, message: "cancelled before it began" });
    }
    const refusal = whyNot(execution, instance);
    if (refusal !== undefined) return settle(execution, { state: "Failed", completedAt: now, message: refusal });
    const machineId = instance?.status?.machine?.id;
    const status = await withBoot({ state: "Running", machineId, startedAt: now }, execution, instance, signal);
    await send(await commit(execution, status), instance, "start", signal);
    return { requeueAfterMs: Math.min(STEP_POLL_MS, execution.spec.timeoutMs) };
  }

  async function advance(execution: Execution, instance: Instance | undefined, signal: AbortSignal) {
    const view = await look(execution, instance, signal);
    const nowMs = clock.now();
    const plan = planExecution(execution, view, nowMs);
    if (plan.status.state !== "Running") {
      const result = await settle(execution, plan.status);
      await free(execution, instance, signal);
      return result;
    }
    const status = plan.act === "start" ? await withBoot(plan.status, execution, instance, signal) : plan.status;
    const next = await commit(execution, status);
    if (plan.act) await send(next, instance, plan.act, signal);
    return { requeueAfterMs: untilDueMs(plan.dueAtMs, nowMs, clock.now()) };
  }

  /** Over: kept until nobody may ask for it any more. */
  async function retire(execution: Execution, deleting: boolean): Promise<ReconcileResult> {
    const { namespace, name, uid } = execution.metadata;
    jobs.forget(uid);
    if (deleting) {
      await logs.drop(`${uid}/`);
      await dropFinalizer(admission, executionKind, execution, EXECUTION_FINALIZER);
      return {};
    }
    const restMs = Date.parse(execution.status?.completedAt ?? "") + EXECUTION_RETENTION_MS - clock.now();
    if (restMs > 0) return { requeueAfterMs: restMs };
    await admission.delete(executionKind, { namespace, name }, { uid });
    return {};
  }

  async function settle(execution: Execution, status: ExecutionStatus): Promise<ReconcileResult> {
    await commit(execution, status);
    return { requeueAfterMs: execution.metadata.deletionTimestamp ? 0 : EXECUTION_RETENTION_MS };
  }

  async function commit(execution: Execution, changes: ExecutionStatus): Promise<Execution> {
    const { namespace, name, uid, resourceVersion, generation } = execution.metadata;
    const status = { ...changes, observedGeneration: generation };
    if (jsonEqual(execution.status ?? {}, status)) return execution;
    return store.updateStatus(executionKind, { namespace, name }, () => status, { uid, resourceVersion });
  }

  async function look(execution: Execution, instance: Instance | undefined, signal: AbortSignal): Promise<AttemptView> {
    const job = jobOf(execution, instance);
    if (!job) return { state: "Lost", message: `instance ${execution.spec.instance} is gone, the command with it` };
    if (job.target.machineId !== execution.status?.machineId) {
      return { state: "Lost", message: `machine ${execution.status?.machineId} is gone, the command with it` };
    }
    try {
      return explained(await jobs.look(job, signal), execution.status.bootId);
    } catch (error) {
      if (error instanceof TransportError && error.class === "mismatch")
        return { state: "Lost", message: error.message };
      if (!isPassing(error)) throw error;
      return { state: "Unreachable", message: messageOf(error) };
    }
  }

  /** Committed to the boot that the machine is in. One that does not answer is asked again. */
  async function withBoot(
    status: ExecutionStatus,
    execution: Execution,
    instance: Instance | undefined,
    signal: AbortSignal,
  ): Promise<ExecutionStatus> {
    const job = jobOf(execution, instance);
    if (status.bootId !== undefined || !job) return status;
    try {
      const former = bootThatKnows(execution.metadata, undefined, store.restorations);
      return { ...status, bootId: former ?? (await jobs.bootId(job, signal)) };
    } catch (error) {
      if (!isPassing(error)) throw error;
      return status;
    }
  }

  async function send(
    execution: Execution,
    instance: Instance | undefined,
    act: NonNullable<ExecutionPlan["act"]>,
    signal: AbortSignal,
  ): Promise<void> {
    const job = jobOf(execution, instance);
    const bootId = execution.status?.bootId;
    if (!job || (act === "start" && bootId === undefined)) return;
    try {
      const observation =
        act === "cancel" || bootId === undefined
          ? await jobs.cancel(job, EXECUTION_GRACE_MS, signal)
          : await jobs.start(job, { command: execution.spec.command }, { environment: {}, bootId }, signal);
      if (observation.state !== "Running") job.wake();
    } catch (error) {
      if (!isPassing(error)) throw error;
      deps.log.warn({ execution: execution.metadata.name, act, error: messageOf(error) }, "not sent; trying again");
    }
  }

  /** Best effort: what the command left among our files on the machine. */
  async function free(execution: Execution, instance: Instance | undefined, signal: AbortSignal): Promise<void> {
    const job = jobOf(execution, instance);
    if (!job || job.target.machineId !== execution.status?.machineId) return;
    try {
      await jobs.release(job, signal);
    } catch (error) {
      deps.log.debug({ execution: execution.metadata.name, error: messageOf(error) }, "its files stay on the machine");
    }
  }

  function jobOf(execution: Execution, instance: Instance | undefined): Job | undefined {
    const target = instance && targetOf(deps.app, instance);
    if (!target) return undefined;
    const { uid, namespace, name } = execution.metadata;
    return {
      key: { run: uid, step: EXECUTION_STEP, attempt: 1 },
      uses: "exec",
      target,
      wake: () => deps.wake(executionKind.kind, { namespace, name }),
    };
  }

  return { kind: executionKind, reconcile, forget: (uid) => jobs.forget(uid) };
}

function whyNot(execution: Execution, instance: Instance | undefined): string | undefined {
  const { instance: name } = execution.spec;
  if (!instance) return `instance ${name} does not exist in namespace ${execution.metadata.namespace}`;
  if (instance.status?.machine?.state === "started") return undefined;
  const ready = findCondition(instance, "Ready");
  return `instance ${name} is not running${ready ? ` (${ready.reason}: ${ready.message})` : ""}`;
}
