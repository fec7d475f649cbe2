// A workflow is a definition; what there is to do about one is its Apply trigger: one run for each generation, so that an
// applied workflow converges like a Job. The run's name is computed, so the second time finds the first. The runs are
// owned by the workflow and go with it.
import { API_VERSION, type Condition, findCondition, NAME_MAX } from "../../crds/resource.ts";
import { type Workflow, type WorkflowStatus, workflowKind } from "../../crds/workflow.ts";
import { type WorkflowRun, workflowRunKind } from "../../crds/workflow-run.ts";
import { type Admission, InvalidError } from "../admission/admission.ts";
import type { Clock } from "../kernel/clock.ts";
import { jsonEqual } from "../kernel/json.ts";
import { type NewCondition, withConditions } from "../runtime/conditions.ts";
import type { Events } from "../runtime/events.ts";
import type { ReconcileResult, Reconciler, Trigger } from "../runtime/reconciler.ts";
import { AlreadyExistsError } from "../store/errors.ts";
import type { Store } from "../store/store.ts";

export interface WorkflowDeps {
  readonly store: Store;
  readonly admission: Admission;
  readonly events: Events;
  readonly clock: Clock;
}

export const WORKFLOW_LABEL = "fly.lightfast.ai/workflow";

/** A run that changes wakes its workflow, whose condition mirrors it. */
export const workflowTriggers: readonly Trigger[] = [
  {
    kind: workflowRunKind,
    names: ({ metadata }) =>
      (metadata.ownerReferences ?? [])
        .filter((owner) => owner.kind === workflowKind.kind)
        .map((owner) => ({ namespace: metadata.namespace, name: owner.name })),
  },
];

type Found = Pick<NewCondition, "status" | "reason" | "message">;

export function createWorkflowReconciler(deps: WorkflowDeps): Reconciler<Workflow> {
  const { store, admission, events, clock } = deps;

  async function reconcile(workflow: Workflow): Promise<ReconcileResult> {
    if (workflow.metadata.deletionTimestamp) return {};
    const triggered = await trigger(workflow);
    const conditions = conditionsOf(workflow, triggered.succeeded);
    await commit(workflow, {
      observedGeneration: workflow.metadata.generation,
      conditions: withConditions(kept(workflow, triggered.succeeded), conditions, clock.now()),
      lastRun: triggered.run ?? workflow.status?.lastRun,
    });
    return {};
  }

  /** Makes or finds the run of this generation; none without an Apply trigger. */
  async function trigger(workflow: Workflow): Promise<{ readonly run?: string; readonly succeeded?: Found }> {
    const apply = workflow.spec.triggers?.find((each) => each.type === "Apply");
    if (!apply) return {};
    const name = runName(workflow);
    const { namespace } = workflow.metadata;
    const found = await store.get(workflowRunKind, { namespace, name });
    if (found) return { run: name, succeeded: isOwn(workflow, found) ? mirror(found) : taken(name) };
    // It was there, so somebody deleted it: once is once, and what it came to stays written.
    if (workflow.status?.lastRun === name) return { run: name, ...lastKnown(workflow) };
    try {
      const run = await admission.create(workflowRunKind, runManifest(workflow, name, apply.parameters ?? {}));
      await events.record(
        workflow,
        "Normal",
        "RunCreated",
        `run ${name} for generation ${workflow.metadata.generation}`,
      );
      return { run: name, succeeded: mirror(run) };
    } catch (error) {
      if (error instanceof AlreadyExistsError) return { run: name, succeeded: taken(name) };
      if (!(error instanceof InvalidError)) throw error;
      return { succeeded: { status: "False", reason: "RunRefused", message: error.message } };
    }
  }

  async function commit(workflow: Workflow, status: WorkflowStatus): Promise<void> {
    if (jsonEqual(workflow.status ?? {}, status)) return;
    const { namespace, name, uid, resourceVersion } = workflow.metadata;
    await store.updateStatus(workflowKind, { namespace, name }, () => status, { uid, resourceVersion });
  }

  return { kind: workflowKind, reconcile };
}

/** `<workflow>-<generation>-<uid>`, shortened so that its instances' names fit too. */
export function runName({ metadata, spec }: Workflow): string {
  const suffix = `-${metadata.generation}-${metadata.uid.slice(0, 4)}`;
  const longestKey = Math.max(-1, ...Object.keys(spec.instances).map((key) => key.length));
  const room = NAME_MAX - (longestKey + 1) - suffix.length;
  return `${metadata.name.slice(0, room).replace(/-+$/, "")}${suffix}`;
}

function runManifest(workflow: Workflow, name: string, parameters: Readonly<Record<string, string>>) {
  const { metadata } = workflow;
  const owner = {
    apiVersion: API_VERSION,
    kind: workflow.kind,
    name: metadata.name,
    uid: metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
  return {
    apiVersion: API_VERSION,
    kind: workflowRunKind.kind,
    metadata: {
      name,
      namespace: metadata.namespace,
      labels: { [WORKFLOW_LABEL]: metadata.name },
      ownerReferences: [owner],
    },
    spec: { workflowRef: { name: metadata.name }, parameters },
  };
}

function conditionsOf({ metadata }: Workflow, succeeded: Found | undefined): readonly NewCondition[] {
  const observedGeneration = metadata.generation;
  return [
    // Admission lets in what can run, and nothing else.
    { type: "Ready", status: "True", reason: "Valid", message: "the definition is valid", observedGeneration },
    ...(succeeded ? [{ type: "Succeeded", ...succeeded, observedGeneration }] : []),
  ];
}

/** Without a trigger there is nothing to mirror. */
function kept({ status }: Workflow, succeeded: Found | undefined): readonly Condition[] {
  return (status?.conditions ?? []).filter((each) => each.type !== "Succeeded" || succeeded !== undefined);
}

function mirror(run: WorkflowRun): Found {
  const { status, reason, message } = findCondition(run, "Succeeded") ?? {
    status: "Unknown" as const,
    reason: "Pending",
    message: "about to begin",
  };
  return { status, reason, message: `run ${run.metadata.name}: ${message}` };
}

function lastKnown(workflow: Workflow): { readonly succeeded?: Found } {
  const known = findCondition(workflow, "Succeeded");
  return known ? { succeeded: { status: known.status, reason: known.reason, message: known.message } } : {};
}

function taken(name: string): Found {
  const message = `a run ${name} exists that is not of this workflow; delete it or change the workflow`;
  return { status: "False", reason: "RunNameTaken", message };
}

function isOwn(workflow: Workflow, { metadata }: WorkflowRun): boolean {
  return metadata.ownerReferences?.some((owner) => owner.uid === workflow.metadata.uid) ?? false;
}
