// WorkflowRun: parameters fit the workflow, names of its machines fit their limit, and a cancel is final.
import { NAME_MAX } from "../../crds/resource.ts";
import { type WorkflowSpec, workflowKind } from "../../crds/workflow.ts";
import type { WorkflowRun } from "../../crds/workflow-run.ts";
import type { Cause } from "./admission.ts";
import { cancelCauses } from "./cancel.ts";
import { invalidValue } from "./causes.ts";
import type { KindRules } from "./kind-rules.ts";
import { parameterCauses } from "./parameters.ts";

export const workflowRunRules: KindRules<WorkflowRun> = {
  check: (object, current) => cancelCauses(object.spec, current?.spec),
  relate({ spec, metadata }, view) {
    const workflow = view.get(workflowKind, { namespace: metadata.namespace, name: spec.workflowRef.name });
    // A workflow may be applied after its run: the run waits for it and reports what is wrong then.
    if (!workflow) return [];
    return [
      ...parameterCauses(workflow.spec.parameters, spec.parameters, "spec.parameters"),
      ...machineNames(metadata.name ?? "", workflow.spec),
    ];
  },
};

function machineNames(run: string, { instances }: WorkflowSpec): Cause[] {
  const owned = Object.entries(instances).filter(([, instance]) => instance.ref === undefined);
  const longest = Math.max(0, ...owned.map(([key]) => key.length + 1));
  const most = NAME_MAX - longest;
  if (run.length <= most) return [];
  const remedy = `must be no more than ${most} characters, so that <run>-<instance> is a name of at most ${NAME_MAX}`;
  return [{ reason: "FieldValueInvalid", field: "metadata.name", message: invalidValue(run, remedy) }];
}
