// What runs that are over, and should have cleaned up, have left; read in the plainest way, not by the controller's rules.
import { type AnyResource, findCondition } from "../../crds/resource.ts";
import type { WorkflowRun } from "../../crds/workflow-run.ts";

export function leftBehind(objects: readonly AnyResource[]): readonly string[] {
  return objects.flatMap((object) => {
    if (object.kind !== "WorkflowRun") return [];
    const run = object as WorkflowRun; // by its kind
    const verdict = findCondition(run, "Succeeded")?.status;
    const cleanup = run.status?.definition?.spec.cleanup;
    const owed = cleanup === "Always" ? verdict !== "Unknown" : cleanup === "OnSuccess" && verdict === "True";
    if (!owed || verdict === undefined) return [];
    const own = (each: AnyResource) => each.metadata.ownerReferences?.some(({ uid }) => uid === run.metadata.uid);
    return objects
      .filter((each) => each.kind === "Instance" && own(each))
      .map((each) => `S2 instance ${each.metadata.name} was to go with run ${run.metadata.name}, which is over`);
  });
}
