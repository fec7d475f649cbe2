// Who uses an instance, read from the objects in the plainest way: not by the controller's own rules.
import type { Execution } from "../../crds/execution.ts";
import { type AnyResource, findCondition } from "../../crds/resource.ts";
import type { WorkflowRun } from "../../crds/workflow-run.ts";

/** Runs and executions of its namespace that have begun by `byMs` and are not over. */
export function usersOf(objects: Iterable<AnyResource>, { metadata }: AnyResource, byMs: number): readonly string[] {
  return [...objects]
    .filter((each) => each.metadata.namespace === metadata.namespace && uses(each, metadata.name, byMs))
    .map((each) => `${each.kind} ${each.metadata.name}`);
}

function uses(object: AnyResource, instance: string, byMs: number): boolean {
  if (object.kind === "Execution") {
    const { spec, status } = object as Execution; // by its kind
    return spec.instance === instance && status?.state === "Running" && Date.parse(status.startedAt ?? "") <= byMs;
  }
  if (object.kind !== "WorkflowRun") return false;
  const run = object as WorkflowRun; // by its kind
  const names = Object.entries(run.status?.definition?.spec.instances ?? {}).map(
    ([key, { ref }]) => ref ?? `${run.metadata.name}-${key}`,
  );
  const going = findCondition(run, "Succeeded")?.status === "Unknown";
  return going && names.includes(instance) && Date.parse(run.status?.startedAt ?? "") <= byMs;
}
