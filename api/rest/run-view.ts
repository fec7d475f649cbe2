// A workflow run as the simple REST endpoints show it.
import { findCondition } from "../../crds/resource.ts";
import type { StepStatus, WorkflowRun } from "../../crds/workflow-run.ts";

export type RunState = "pending" | "running" | "succeeded" | "failed" | "cancelled";

export function runView(run: WorkflowRun): object {
  const { metadata, spec, status } = run;
  return {
    executionId: metadata.uid,
    name: metadata.name,
    workflowId: status?.definition?.uid ?? spec.workflowRef.name,
    workflow: spec.workflowRef.name,
    status: runState(run),
    message: findCondition(run, "Succeeded")?.message ?? null,
    parameters: status?.parameters ?? spec.parameters,
    steps: (status?.steps ?? []).map(stepView),
    outputs: status?.outputs ?? {},
    createdAt: metadata.creationTimestamp,
    startedAt: status?.startedAt ?? null,
    finishedAt: status?.finishedAt ?? null,
  };
}

/** From the condition Succeeded; its reason tells a cancelled run from a failed one. */
export function runState(run: WorkflowRun): RunState {
  const succeeded = findCondition(run, "Succeeded");
  if (succeeded?.status === "True") return "succeeded";
  if (succeeded?.status === "False") return succeeded.reason === "Cancelled" ? "cancelled" : "failed";
  return run.status?.startedAt ? "running" : "pending";
}

export function isFinished(run: WorkflowRun): boolean {
  const state = runState(run);
  return state !== "pending" && state !== "running";
}

function stepView(step: StepStatus): object {
  return {
    name: step.name,
    status: step.state.toLowerCase(),
    attempts: step.attempts,
    exitCode: step.exitCode ?? null,
    startedAt: step.startedAt ?? null,
    finishedAt: step.finishedAt ?? null,
    message: step.message ?? null,
  };
}
