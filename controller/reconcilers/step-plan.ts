// What becomes of one step: a pure function of its status, what was seen of its attempt or its instance, and the time.
// An attempt is decided here and written down before it is sent; until the machine has been seen to have it, it may be
// sent again.
import { durationMs } from "../../crds/duration.ts";
import type { WorkflowStep } from "../../crds/workflow.ts";
import type { StepStatus } from "../../crds/workflow-run.ts";
import { backoffMs, leftOfPauseMs } from "../kernel/backoff.ts";
import { preciseTimestamp } from "../kernel/clock.ts";
import { INSTANCE_READY_MAX_MS, STEP_ACKNOWLEDGE_MS, STEP_BACKOFF_MAX_MS, STEP_UNREACHABLE_MAX_MS } from "../limits.ts";
import type { StepObservation } from "../steps/step.ts";

export type AttemptView = StepObservation | { readonly state: "Unreachable"; readonly message: string };

export type InstanceView =
  | { readonly state: "Ready"; readonly name: string; readonly machineId: string }
  | { readonly state: "Waiting"; readonly name: string; readonly message: string }
  /** Waiting longer will not help. */
  | { readonly state: "Failed"; readonly name: string; readonly reason: string; readonly message: string };

export interface StepPlan {
  readonly status: StepStatus;
  /** To be done once status is durable. */
  readonly act?: "start" | "cancel" | undefined;
  /** When this step needs a look even if nothing happens. */
  readonly dueAtMs?: number | undefined;
  /** Why it does not go on, for people. */
  readonly waitsFor?: string | undefined;
}

export interface Moment {
  readonly nowMs: number;
  /** The run is to end. */
  readonly cancelled: boolean;
}

/** A step that runs, seen on its machine. */
export function planRunning(step: WorkflowStep, status: StepStatus, view: AttemptView, moment: Moment): StepPlan {
  const { nowMs, cancelled } = moment;
  const startedMs = status.attemptStartedAt === undefined ? nowMs : Date.parse(status.attemptStartedAt);
  const deadlineMs = startedMs + durationMs(step.timeout);
  const ending = cancelled || nowMs >= deadlineMs;
  const dueAtMs = ending ? undefined : deadlineMs;
  const { unreachableSince: _answers, message: _stale, ...reached } = status;
  const timeout = `took longer than ${step.timeout}`;
  switch (view.state) {
    case "Exited":
      if (view.exitCode === 0) return over(reached, "Succeeded", nowMs, { exitCode: 0 });
      return failed(step, { ...reached, exitCode: view.exitCode }, "Failed", `exit code ${view.exitCode}`, moment);
    case "Abandoned":
      if (cancelled) return over(reached, "Cancelled", nowMs, { reason: "Cancelled" });
      return failed(step, reached, "Timeout", timeout, moment);
    case "Lost":
      return failed(step, reached, "Lost", view.message, moment);
    case "Absent":
      if (status.acknowledgedAt !== undefined) {
        return failed(step, reached, "Lost", "the job is gone from the machine", moment);
      }
      return { status: reached, act: ending ? "cancel" : "start", dueAtMs };
    case "Running": {
      const message = ending ? (cancelled ? "being cancelled" : `${timeout}: being ended`) : undefined;
      const acknowledgedAt = nowMs - startedMs < STEP_ACKNOWLEDGE_MS ? undefined : preciseTimestamp(nowMs);
      return {
        status: { ...reached, acknowledgedAt: status.acknowledgedAt ?? acknowledgedAt, message },
        act: ending ? "cancel" : undefined,
        dueAtMs,
      };
    }
    case "Unreachable":
      return planUnreachable(step, status, view.message, ending, dueAtMs, moment);
  }
}

/** Nothing is decided about what cannot be seen, unless it should have ended long ago. */
function planUnreachable(
  step: WorkflowStep,
  status: StepStatus,
  why: string,
  ending: boolean,
  dueAtMs: number | undefined,
  moment: Moment,
): StepPlan {
  const unreachableSince = status.unreachableSince ?? preciseTimestamp(moment.nowMs);
  const giveUpMs = Date.parse(unreachableSince) + STEP_UNREACHABLE_MAX_MS;
  if (ending && moment.nowMs >= giveUpMs) {
    return failed(step, status, "Lost", `its machine has not answered since ${unreachableSince}: ${why}`, moment);
  }
  // Said once: a reason that is worded anew at every look is no news.
  const said = status.unreachableSince === undefined ? undefined : status.message;
  const message = said ?? `machine ${status.machineId} does not answer: ${why}`;
  return {
    status: { ...status, unreachableSince, message },
    act: ending ? "cancel" : undefined,
    dueAtMs: ending ? giveUpMs : dueAtMs,
    waitsFor: message,
  };
}

/** A step whose dependencies have all succeeded, the last one at `eligibleMs`. */
export function planEligible(
  step: WorkflowStep,
  status: StepStatus,
  instance: InstanceView,
  eligibleMs: number,
  moment: Moment,
): StepPlan {
  const { nowMs } = moment;
  const retryMs = status.retryAt === undefined ? 0 : Date.parse(status.retryAt);
  if (leftOfPauseMs(retryMs, nowMs, STEP_BACKOFF_MAX_MS) > 0)
    return { status, dueAtMs: retryMs, waitsFor: `its next attempt at ${status.retryAt}` };
  const giveUpMs = Math.max(eligibleMs, retryMs) + INSTANCE_READY_MAX_MS;
  switch (instance.state) {
    case "Ready":
      return { status: begun(status, instance, nowMs), act: "start", dueAtMs: nowMs + durationMs(step.timeout) };
    case "Failed":
      return over(status, "Failed", nowMs, { reason: instance.reason, message: instance.message });
    case "Waiting":
      if (nowMs < giveUpMs) return { status, dueAtMs: giveUpMs, waitsFor: instance.message };
      return over(status, "Failed", nowMs, {
        reason: "InstanceNotReady",
        message: `gave up waiting: ${instance.message}`,
      });
  }
}

function begun(status: StepStatus, instance: { name: string; machineId: string }, nowMs: number): StepStatus {
  const now = preciseTimestamp(nowMs);
  return {
    name: status.name,
    state: "Running",
    attempts: status.attempts + 1,
    instance: instance.name,
    machineId: instance.machineId,
    startedAt: status.startedAt ?? now,
    attemptStartedAt: now,
  };
}

/** The attempt is over and did not do what it should: another one, or the end of the step. */
function failed(
  step: WorkflowStep,
  status: StepStatus,
  how: "Failed" | "Timeout" | "Lost",
  why: string,
  { nowMs, cancelled }: Moment,
): StepPlan {
  if (cancelled && how === "Lost") return over(status, "Cancelled", nowMs, { reason: "Cancelled", message: why });
  const { limit, on, backoff } = step.retry;
  if (cancelled || status.attempts > limit || !on.includes(how)) {
    return over(status, "Failed", nowMs, { reason: how, message: why });
  }
  const delayMs = backoffMs({ baseMs: durationMs(backoff), maxMs: STEP_BACKOFF_MAX_MS }, status.attempts);
  const retryAt = preciseTimestamp(nowMs + delayMs);
  const message = `attempt ${status.attempts} of ${limit + 1}: ${why}`;
  return {
    status: { ...status, state: "Pending", retryAt, reason: how, message },
    dueAtMs: nowMs + delayMs,
    waitsFor: `its next attempt at ${retryAt}`,
  };
}

export function over(
  status: StepStatus,
  state: "Succeeded" | "Failed" | "Skipped" | "Cancelled",
  nowMs: number,
  end: Pick<StepStatus, "reason" | "message" | "exitCode"> = {},
): StepPlan {
  const { retryAt: _retry, unreachableSince: _since, reason: _reason, message: _message, ...rest } = status;
  return { status: { ...rest, ...end, state, finishedAt: preciseTimestamp(nowMs) } };
}
