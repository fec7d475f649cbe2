// The instances of a run: makes those it owns, says whether a step may use them, and deals with them in the end. Names
// are computed, so the second time finds the first; an instance that is not the run's own is never touched.
import { type Instance, instanceKind } from "../../crds/instance.ts";
import { API_VERSION, findCondition } from "../../crds/resource.ts";
import type { WorkflowSpec } from "../../crds/workflow.ts";
import { RUN_LABEL, type WorkflowRun } from "../../crds/workflow-run.ts";
import { type Admission, ForbiddenError, InvalidError } from "../admission/admission.ts";
import { TransientError } from "../kernel/errors.ts";
import { WORKFLOW_GRACE_MS } from "../limits.ts";
import { ifThere } from "../runtime/finalizer.ts";
import { AlreadyExistsError } from "../store/errors.ts";
import type { Key, Store } from "../store/store.ts";
import { withoutOwners } from "./garbage-plan.ts";
import type { InstanceView } from "./step-plan.ts";

export interface RunInstance {
  readonly view: InstanceView;
  /** Undefined while there is none. */
  readonly instance?: Instance | undefined;
}

export interface RunInstances {
  /** What is there, by key of the definition. With `make`, those that the run owns are created where they are missing. */
  look(run: WorkflowRun, make: boolean, nowMs: number): Promise<ReadonlyMap<string, RunInstance>>;
  /** Deletes the run's own. */
  remove(run: WorkflowRun): Promise<void>;
  /** Makes the run's own nobody's, so that they outlive it. */
  keep(run: WorkflowRun): Promise<void>;
}

export function createRunInstances(store: Store, admission: Admission): RunInstances {
  async function lookAt(run: WorkflowRun, key: string, make: boolean, nowMs: number): Promise<RunInstance> {
    const { ref } = definitionOf(run, key);
    const name = ref ?? ownName(run, key);
    const instance = await store.get(instanceKind, { namespace: run.metadata.namespace, name });
    if (ref !== undefined) return instance ? viewed(instance) : { view: missing(run, name, nowMs) };
    if (!instance) return make ? create(run, key, name) : { view: waiting(name, "it does not exist") };
    if (isOwn(run, instance)) return viewed(instance);
    return { view: notOwn(instance) };
  }

  async function create(run: WorkflowRun, key: string, name: string): Promise<RunInstance> {
    const { ref: _none, ...spec } = definitionOf(run, key);
    const { namespace, uid } = run.metadata;
    const owner = {
      apiVersion: API_VERSION,
      kind: run.kind,
      name: run.metadata.name,
      uid,
      controller: true,
      blockOwnerDeletion: true,
    };
    const metadata = { name, namespace, labels: { [RUN_LABEL]: run.metadata.name }, ownerReferences: [owner] };
    try {
      return viewed(
        await admission.create(instanceKind, { apiVersion: API_VERSION, kind: "Instance", metadata, spec }),
      );
    } catch (error) {
      if (error instanceof InvalidError) {
        return { view: { state: "Failed", name, reason: "InstanceRefused", message: error.message } };
      }
      if (error instanceof ForbiddenError) return { view: waiting(name, error.message) };
      if (error instanceof AlreadyExistsError) throw new TransientError(error.message, { retryAfterMs: 0 }); // look again
      throw error;
    }
  }

  async function own(run: WorkflowRun): Promise<readonly { readonly key: Key; readonly instance: Instance }[]> {
    const found = await Promise.all(
      instanceKeys(run)
        .filter((key) => definitionOf(run, key).ref === undefined)
        .map(async (key) => {
          const name = { namespace: run.metadata.namespace, name: ownName(run, key) };
          return { key: name, instance: await store.get(instanceKind, name) };
        }),
    );
    return found.flatMap(({ key, instance }) => (instance && isOwn(run, instance) ? [{ key, instance }] : []));
  }

  return {
    async look(run, make, nowMs) {
      const entries = await Promise.all(
        instanceKeys(run).map(async (key) => [key, await lookAt(run, key, make, nowMs)] as const),
      );
      return new Map(entries);
    },
    async remove(run) {
      for (const { key, instance } of await own(run)) {
        if (instance.metadata.deletionTimestamp) continue;
        await ifThere(admission.delete(instanceKind, key, { uid: instance.metadata.uid }));
      }
    },
    async keep(run) {
      for (const { key, instance } of await own(run)) {
        const without = (current: Instance) => withoutOwners(current, [run.metadata.uid]);
        await ifThere(admission.update(instanceKind, key, without, { uid: instance.metadata.uid }));
      }
    },
  };
}

function instanceKeys(run: WorkflowRun): readonly string[] {
  return Object.keys(run.status?.definition?.spec.instances ?? {});
}

function definitionOf(run: WorkflowRun, key: string): Partial<WorkflowSpec["instances"][string]> {
  return run.status?.definition?.spec.instances[key] ?? {};
}

function ownName(run: WorkflowRun, key: string): string {
  return `${run.metadata.name}-${key}`;
}

function isOwn(run: WorkflowRun, { metadata }: Instance): boolean {
  return metadata.ownerReferences?.some((owner) => owner.uid === run.metadata.uid) ?? false;
}

/** Reasons that stay until somebody changes something; all others pass by themselves. */
const LASTING = new Set(["Refused", "NameTaken", "HostKeyMismatch"]);

function viewed(instance: Instance): RunInstance {
  const { name, deletionTimestamp } = instance.metadata;
  const machine = instance.status?.machine;
  const ready = findCondition(instance, "Ready");
  if (deletionTimestamp) return { instance, view: waiting(name, "it is being deleted") };
  if (ready?.status === "True" && machine) return { instance, view: { state: "Ready", name, machineId: machine.id } };
  if (ready && LASTING.has(ready.reason)) {
    const message = `instance ${name} is not ready: ${ready.message}`;
    return { instance, view: { state: "Failed", name, reason: ready.reason, message } };
  }
  return { instance, view: waiting(name, ready ? `${ready.reason}: ${ready.message}` : "it has just been made") };
}

function waiting(name: string, why: string): InstanceView {
  return { state: "Waiting", name, message: `instance ${name} to be ready (${why})` };
}

/** It may come a little after the run, as `apply -f` of a folder goes by file name. */
function missing(run: WorkflowRun, name: string, nowMs: number): InstanceView {
  if (nowMs - Date.parse(run.metadata.creationTimestamp) < WORKFLOW_GRACE_MS) return waiting(name, "it does not exist");
  return { state: "Failed", name, reason: "InstanceNotFound", message: `instance ${name} does not exist` };
}

function notOwn({ metadata }: Instance): InstanceView {
  if (metadata.deletionTimestamp) return waiting(metadata.name, "one of that name is being deleted");
  const message = `instance ${metadata.name} exists and is not of this run; delete it, or name the run otherwise`;
  return { state: "Failed", name: metadata.name, reason: "InstanceNameTaken", message };
}
