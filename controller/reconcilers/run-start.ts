// The first status of a run: the definition and the values it begins with, so that later edits do not reach it. Or why it
// cannot begin.
import type { Workflow, WorkflowSpec } from "../../crds/workflow.ts";
import type { WorkflowRun, WorkflowRunStatus } from "../../crds/workflow-run.ts";
import { preciseTimestamp } from "../kernel/clock.ts";
import { WORKFLOW_GRACE_MS } from "../limits.ts";
import { withCondition } from "../runtime/conditions.ts";
import { dependencyOrder, pendingStep, type Verdict } from "./run-plan.ts";

export function firstStatus(run: WorkflowRun, workflow: Workflow | undefined, nowMs: number): WorkflowRunStatus {
  const { name } = run.spec.workflowRef;
  if (run.spec.cancel || run.metadata.deletionTimestamp)
    return ended(run, "Cancelled", "cancelled before it began", nowMs);
  if (!workflow) {
    const message = `workflow ${name} does not exist in namespace ${run.metadata.namespace}`;
    const waited = nowMs - Date.parse(run.metadata.creationTimestamp);
    if (waited >= WORKFLOW_GRACE_MS) return ended(run, "WorkflowNotFound", message, nowMs);
    return withVerdict(run, { status: "Unknown", reason: "WorkflowNotFound", message: `${message} yet` }, nowMs);
  }
  const values = parameterValues(workflow.spec, run.spec.parameters);
  const problem = values.problem ?? graphProblem(workflow.spec);
  if (problem) return ended(run, "Invalid", `workflow ${name}: ${problem}`, nowMs);
  return {
    ...withVerdict(run, { status: "Unknown", reason: "Pending", message: "about to begin" }, nowMs),
    startedAt: preciseTimestamp(nowMs),
    definition: { uid: workflow.metadata.uid, generation: workflow.metadata.generation, spec: workflow.spec },
    parameters: values.parameters,
    steps: workflow.spec.steps.map(pendingStep),
  };
}

export function withVerdict(run: WorkflowRun, verdict: Verdict, nowMs: number): WorkflowRunStatus {
  const observedGeneration = run.metadata.generation;
  const condition = { type: "Succeeded", ...verdict, observedGeneration };
  return {
    ...run.status,
    observedGeneration,
    conditions: withCondition(run.status?.conditions, condition, nowMs),
  };
}

function ended(run: WorkflowRun, reason: string, message: string, nowMs: number): WorkflowRunStatus {
  const verdict: Verdict = { status: "False", reason, message };
  return { ...withVerdict(run, verdict, nowMs), finishedAt: preciseTimestamp(nowMs), steps: [] };
}

/** Given values over defaults. Admission has checked them, unless the workflow came or changed after the run. */
function parameterValues(
  { parameters }: WorkflowSpec,
  given: Readonly<Record<string, string>>,
): { readonly parameters: Record<string, string>; readonly problem?: string } {
  const known = new Set(parameters.map((each) => each.name));
  const unknown = Object.keys(given).filter((name) => !known.has(name));
  const absent = parameters.filter((each) => each.required && given[each.name] === undefined).map((each) => each.name);
  const values = Object.fromEntries(parameters.map((each) => [each.name, given[each.name] ?? each.default ?? ""]));
  if (absent.length > 0) return { parameters: values, problem: `no value for the parameter ${absent.join(", ")}` };
  if (unknown.length > 0) return { parameters: values, problem: `it has no parameter ${unknown.join(", ")}` };
  return { parameters: values };
}

function graphProblem({ steps }: WorkflowSpec): string | undefined {
  return dependencyOrder(steps).length < steps.length ? "its steps depend on each other in a circle" : undefined;
}
