// Who uses an instance: steps and execs, running or lately over. Asked of the store when something depends on it, so that
// it is right after a restart, and so that looking at an instance never counts as using it.
import { type Execution, executionKind } from "../../crds/execution.ts";
import { findCondition } from "../../crds/resource.ts";
import { type WorkflowRun, workflowRunKind } from "../../crds/workflow-run.ts";
import type { Store } from "../store/store.ts";

export interface Activity {
  /** What uses the instance now, for people: `run build-x7f2p`, `exec 1c9e…`. */
  readonly busy: readonly string[];
  /** The latest end of something that used it. */
  readonly last?: { readonly atMs: number; readonly source: string } | undefined;
}

export async function activityOf(store: Store, namespace: string, instance: string): Promise<Activity> {
  const [executions, runs] = await Promise.all([
    store.list(executionKind, { namespace, fieldSelector: `spec.instance=${instance}` }),
    store.list(workflowRunKind, { namespace }),
  ]);
  return summarise(
    executions.items,
    runs.items.filter((run) => usesInstance(run, instance)),
    instance,
  );
}

export function summarise(executions: readonly Execution[], runs: readonly WorkflowRun[], instance: string): Activity {
  const busy = [
    ...runs.filter((run) => !isFinished(run)).map((run) => `run ${run.metadata.name}`),
    ...executions.filter((each) => isRunning(each)).map((each) => `exec ${each.metadata.name}`),
  ];
  const ends = [
    ...runs.flatMap((run) => stepEnds(run, instance)),
    ...executions.flatMap((each) => endOf(each.status?.completedAt, `exec ${each.metadata.name}`)),
  ];
  const last = ends.reduce<Activity["last"]>(
    (latest, each) => (latest && latest.atMs >= each.atMs ? latest : each),
    undefined,
  );
  return { busy, last };
}

export function usesInstance(run: WorkflowRun, instance: string): boolean {
  if (run.status?.steps?.some((step) => step.instance === instance)) return true;
  return Object.entries(run.status?.definition?.spec.instances ?? {}).some(
    ([key, each]) => (each.ref ?? `${run.metadata.name}-${key}`) === instance,
  );
}

function stepEnds(run: WorkflowRun, instance: string): { atMs: number; source: string }[] {
  return (run.status?.steps ?? [])
    .filter((step) => step.instance === instance)
    .flatMap((step) => endOf(step.finishedAt, `step ${step.name} of run ${run.metadata.name}`));
}

function endOf(time: string | undefined, source: string): { atMs: number; source: string }[] {
  return time === undefined ? [] : [{ atMs: Date.parse(time), source }];
}

/** A run that waits for its machines uses them too: it must not be stopped under it. */
function isFinished(run: WorkflowRun): boolean {
  const succeeded = findCondition(run, "Succeeded");
  return succeeded !== undefined && succeeded.status !== "Unknown";
}

function isRunning(execution: Execution): boolean {
  return execution.status === undefined || execution.status.state === "Running";
}
