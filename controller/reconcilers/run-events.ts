// What people should be told of a change of status of a run: pure, so that an event is told when it is durable.
import { findCondition } from "../../crds/resource.ts";
import type { StepStatus, WorkflowRun } from "../../crds/workflow-run.ts";

export interface RunEvent {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

export function runEvents(before: WorkflowRun, after: WorkflowRun): readonly RunEvent[] {
  const former = new Map((before.status?.steps ?? []).map((step) => [step.name, step]));
  const steps = (after.status?.steps ?? []).flatMap((step) => stepEvents(former.get(step.name), step));
  return [...steps, ...endEvents(before, after)];
}

function stepEvents(before: StepStatus | undefined, { name, ...step }: StepStatus): readonly RunEvent[] {
  if (before?.state === step.state && before.attempts === step.attempts) return [];
  switch (step.state) {
    case "Running": {
      const again = step.attempts > 1 ? `, attempt ${step.attempts}` : "";
      return [{ type: "Normal", reason: "StepStarted", message: `step ${name} on ${step.instance}${again}` }];
    }
    case "Succeeded":
      return [{ type: "Normal", reason: "StepSucceeded", message: `step ${name}` }];
    case "Failed":
      return [{ type: "Warning", reason: "StepFailed", message: `step ${name}: ${step.message}` }];
    case "Pending":
      return before ? [{ type: "Warning", reason: "StepRetried", message: `step ${name}: ${step.message}` }] : [];
    case "Skipped":
    case "Cancelled":
      return [];
  }
}

function endEvents(before: WorkflowRun, after: WorkflowRun): readonly RunEvent[] {
  const end = findCondition(after, "Succeeded");
  if (!end || end.status === "Unknown" || end.status === findCondition(before, "Succeeded")?.status) return [];
  if (end.status === "True") return [{ type: "Normal", reason: "RunSucceeded", message: end.message }];
  const cancelled = end.reason === "Cancelled";
  return [
    { type: cancelled ? "Normal" : "Warning", reason: cancelled ? "RunCancelled" : "RunFailed", message: end.message },
  ];
}
