// Who uses an instance: steps and execs, running or lately over. Asked of the store when something depends on it, so that
// it is right after a restart, and so that looking at an instance never counts as using it.
import { type Execution, executionKind } from "../../crds/execution.ts";
import { type AnyResource, findCondition } from "../../crds/resource.ts";
import { type WorkflowRun, workflowRunKind } from "../../crds/workflow-run.ts";
import type { Trigger } from "../runtime/reconciler.ts";
import type { Store } from "../store/store.ts";

export interface Activity {
  /** What uses the instance now, for people: `run build-x7f2p`, `exec 1c9e…`. */
  readonly busy: readonly string[];
  /** The latest end of something that used it. */
  readonly last?: { readonly atMs: number; readonly source: string } | undefined;
}

/** What uses an instance decides when it may rest and when it may be restarted: a change of either looks at it again. */
export const instanceTriggers: readonly Trigger[] = [
  { kind: executionKind, names: (object) => inNamespace(object, [asExecution(object).spec.instance]) },
  { kind: workflowRunKind, names: (object) => inNamespace(object, instancesOf(asRun(object))) },
];

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
  return instancesOf(run).includes(instance);
}

/** The instances a run owns or refers to, and those that its steps have run on. */
function instancesOf(run: WorkflowRun): readonly string[] {
  const declared = Object.entries(run.status?.definition?.spec.instances ?? {}).map(
    ([key, { ref }]) => ref ?? `${run.metadata.name}-${key}`,
  );
  const used = (run.status?.steps ?? []).flatMap(({ instance }) => instance ?? []);
  return [...new Set([...declared, ...used])];
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

function inNamespace(
  { metadata }: AnyResource,
  names: readonly string[],
): { namespace: string | undefined; name: string }[] {
  return names.map((name) => ({ namespace: metadata.namespace, name }));
}

// A trigger hands on objects of the kind that it names.
const asExecution = (object: AnyResource) => object as Execution;
const asRun = (object: AnyResource) => object as WorkflowRun;
