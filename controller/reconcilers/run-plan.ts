// What a run does next: a pure function of its definition, the status of its steps, what was seen of their attempts and
// instances, and the time. A step begins when all it depends on has succeeded; when one of these did not, it is skipped,
// and what does not depend on that goes on.
import type { WorkflowSpec, WorkflowStep } from "../../crds/workflow.ts";
import type { StepStatus } from "../../crds/workflow-run.ts";
import {
  type AttemptView,
  type InstanceView,
  type Moment,
  over,
  planEligible,
  planRunning,
  type StepPlan,
} from "./step-plan.ts";

export interface RunInput extends Moment {
  readonly definition: WorkflowSpec;
  readonly steps: readonly StepStatus[];
  readonly startedMs: number;
  /** By key of the definition. */
  readonly instances: ReadonlyMap<string, InstanceView>;
  /** What was seen of each running step, by its name. */
  readonly attempts: ReadonlyMap<string, AttemptView>;
}

export interface Verdict {
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
}

export interface RunPlan {
  readonly steps: readonly StepStatus[];
  /** Names of steps whose current attempt is to be sent, and of those whose attempt is to end; after status is durable. */
  readonly start: readonly string[];
  readonly cancel: readonly string[];
  readonly dueAtMs: number | undefined;
  readonly verdict: Verdict;
}

export function planRun(input: RunInput): RunPlan {
  const before = new Map(input.steps.map((status) => [status.name, status]));
  const plans = new Map<string, StepPlan>();
  for (const step of dependencyOrder(input.definition.steps)) {
    plans.set(step.name, planStep(step, before.get(step.name) ?? pendingStep(step), plans, input));
  }
  const ordered = input.definition.steps.flatMap((step) => plans.get(step.name) ?? []);
  const due = ordered.flatMap((plan) => plan.dueAtMs ?? []);
  const named = (act: StepPlan["act"]) => ordered.filter((plan) => plan.act === act).map((plan) => plan.status.name);
  return {
    steps: ordered.map((plan) => plan.status),
    start: named("start"),
    cancel: named("cancel"),
    dueAtMs: due.length === 0 ? undefined : Math.min(...due),
    verdict: verdictOf(ordered, input.cancelled),
  };
}

export function pendingStep(step: WorkflowStep): StepStatus {
  return { name: step.name, state: "Pending", attempts: 0 };
}

export function isOver({ state }: StepStatus): boolean {
  return state !== "Pending" && state !== "Running";
}

function planStep(
  step: WorkflowStep,
  status: StepStatus,
  earlier: ReadonlyMap<string, StepPlan>,
  input: RunInput,
): StepPlan {
  if (isOver(status)) return { status };
  if (status.state === "Running") {
    const unseen: AttemptView = { state: "Unreachable", message: "it was not looked at" };
    return planRunning(step, status, input.attempts.get(step.name) ?? unseen, input);
  }
  if (input.cancelled) return over(status, "Cancelled", input.nowMs, { reason: "Cancelled" });
  const dependencies = step.dependsOn.flatMap((name) => earlier.get(name)?.status ?? []);
  const failed = dependencies.find((each) => isOver(each) && each.state !== "Succeeded");
  if (failed) {
    const message = `depends on ${failed.name}, which was ${failed.state.toLowerCase()}`;
    return over(status, "Skipped", input.nowMs, { reason: "DependencyFailed", message });
  }
  const open = dependencies.filter((each) => !isOver(each));
  if (open.length > 0) return { status };
  const ends = dependencies.map((each) => Date.parse(each.finishedAt ?? ""));
  return planEligible(step, status, instanceFor(step, input), Math.max(input.startedMs, ...ends), input);
}

/** The key of the instance that a step runs on; admission lets it be left out when there is just one. */
export function instanceKeyOf(step: WorkflowStep, definition: WorkflowSpec): string {
  return step.instance ?? Object.keys(definition.instances)[0] ?? "";
}

function instanceFor(step: WorkflowStep, { definition, instances }: RunInput): InstanceView {
  const key = instanceKeyOf(step, definition);
  return (
    instances.get(key) ?? {
      state: "Failed",
      name: key,
      reason: "InstanceUnknown",
      message: `no instance is called ${key}`,
    }
  );
}

/** Every step after all that it depends on. Steps on a circle, which admission refuses, are left out. */
export function dependencyOrder(steps: readonly WorkflowStep[]): readonly WorkflowStep[] {
  const open = new Map(steps.map((step) => [step.name, new Set(step.dependsOn).size]));
  const dependents = new Map<string, WorkflowStep[]>();
  for (const step of steps) {
    for (const name of new Set(step.dependsOn)) dependents.set(name, [...(dependents.get(name) ?? []), step]);
  }
  const order = steps.filter((step) => step.dependsOn.length === 0);
  // Grows while it is walked.
  for (const { name } of order) {
    for (const step of dependents.get(name) ?? []) {
      const left = (open.get(step.name) ?? 0) - 1;
      open.set(step.name, left);
      if (left === 0) order.push(step);
    }
  }
  return order;
}

function verdictOf(plans: readonly StepPlan[], cancelled: boolean): Verdict {
  const steps = plans.map((plan) => plan.status);
  const names = (state: StepStatus["state"]) => steps.filter((each) => each.state === state).map((each) => each.name);
  if (steps.every(isOver)) return finalVerdict(steps, names);
  const running = names("Running");
  const waits = plans.flatMap(({ status, waitsFor }) =>
    waitsFor ? [`step ${status.name} waits for ${waitsFor}`] : [],
  );
  const what = [...(running.length > 0 ? [`running ${list(running)}`] : []), ...waits.slice(0, 3)];
  const message = what.join("; ") || "about to begin";
  if (cancelled) return { status: "Unknown", reason: "Cancelling", message };
  return {
    status: "Unknown",
    reason: running.length > 0 ? "Running" : waits.length > 0 ? "Waiting" : "Pending",
    message,
  };
}

function finalVerdict(steps: readonly StepStatus[], names: (state: StepStatus["state"]) => readonly string[]): Verdict {
  const [failed, cancelled, skipped] = [names("Failed"), names("Cancelled"), names("Skipped")];
  if (cancelled.length > 0) return { status: "False", reason: "Cancelled", message: `cancelled ${list(cancelled)}` };
  const first = steps.find((each) => each.state === "Failed");
  if (first) {
    const rest = skipped.length > 0 ? `; skipped ${list(skipped)}` : "";
    const others = failed.length > 1 ? ` (and ${list(failed.slice(1))})` : "";
    return {
      status: "False",
      reason: "StepFailed",
      message: `step ${first.name}${others} failed: ${first.message}${rest}`,
    };
  }
  return { status: "True", reason: "Succeeded", message: `${steps.length} of ${steps.length} steps succeeded` };
}

function list(names: readonly string[]): string {
  return names.length > 5 ? `${names.slice(0, 5).join(", ")} and ${names.length - 5} more` : names.join(", ");
}
