// A user with patience, who drives a scenario: asks until the server has answered, then waits until what he asked for is
// there. A server that died before it answered may have done it already, so being told so is an answer too.
import type { MachineRecord } from "../../controller/emulator/machine-record.ts";
import type { Execution } from "../../crds/execution.ts";
import type { Instance } from "../../crds/instance.ts";
import { type AnyResource, findCondition } from "../../crds/resource.ts";
import type { StepStatus, WorkflowRun } from "../../crds/workflow-run.ts";
import { create, type Operation, patch, remove } from "./workload.ts";
import type { World } from "./world.ts";

export interface User {
  readonly cloud: World["cloud"];
  instance(name: string, spec?: object): Promise<void>;
  edit(name: string, spec: object): Promise<void>;
  workflow(name: string, spec: object): Promise<void>;
  run(name: string, workflow: string): Promise<void>;
  cancel(run: string): Promise<void>;
  exec(name: string, instance: string, command: string): Promise<void>;
  remove(plural: string, name: string): Promise<void>;
  /** Until the instance is as its spec now wants; `reason` is that of Ready. */
  settled(name: string, reason?: string): Promise<void>;
  gone(kind: string, name: string): Promise<void>;
  finished(kind: "WorkflowRun" | "Execution", name: string): Promise<void>;
  /** Until one step is in a state. */
  step(run: string, step: string, state: StepStatus["state"]): Promise<void>;
  until(holds: () => boolean): Promise<void>;
  /** Machines that carry the instance's name and live. */
  machines(name: string): readonly MachineRecord[];
}

/** What takes longest is a create whose outcome has to be found out, and a run that waits for it. */
const PATIENCE_MS = 30 * 60_000;
const ASK_AGAIN_MS = 1000;
const CONFLICT = 409;
const NOT_FOUND = 404;

export function userOf(world: World): User {
  const { clock, invariants, cloud } = world;

  function until(holds: () => boolean): Promise<void> {
    return clock.runUntil(() => {
      invariants.tick();
      return world.violations.length > 0 || holds();
    }, PATIENCE_MS);
  }

  async function ask(operation: Operation, doneAlready?: number): Promise<void> {
    for (let asked = 0; world.violations.length === 0; asked += 1) {
      let answer: number | undefined | "none" = "none";
      const answered = world.operate(operation).then((status) => {
        answer = status;
      });
      await until(() => answer !== "none");
      await answered;
      const status: number | undefined = answer === "none" ? undefined : answer;
      if (status !== undefined && (status < 300 || (asked > 0 && status === doneAlready))) return;
      if (status !== undefined) throw new Error(`${operation.method} ${operation.path} was answered ${status}`);
      await clock.advance(ASK_AGAIN_MS);
    }
  }

  function find(kind: string, name: string): AnyResource | undefined {
    return [...invariants.objects.values()].find((each) => each.kind === kind && each.metadata.name === name);
  }

  const stepOf = (run: string, step: string) =>
    asRun(find("WorkflowRun", run))?.status?.steps?.find((each) => each.name === step);

  return {
    cloud,
    until,
    instance: (name, spec = {}) =>
      ask(create("instances", { ...head("Instance", name), spec: { region: "iad", ...spec } }), CONFLICT),
    edit: (name, spec) => ask(patch("instances", name, { spec })),
    workflow: (name, spec) => ask(create("workflows", { ...head("Workflow", name), spec }), CONFLICT),
    run: (name, workflow) =>
      ask(
        create("workflowruns", { ...head("WorkflowRun", name), spec: { workflowRef: { name: workflow } } }),
        CONFLICT,
      ),
    cancel: (run) => ask(patch("workflowruns", run, { spec: { cancel: true } })),
    exec: (name, instance, command) =>
      ask(
        create("executions", { ...head("Execution", name), spec: { instance, command, timeoutMs: 60_000 } }),
        CONFLICT,
      ),
    remove: (plural, name) => ask(remove(plural, name), NOT_FOUND),
    settled: (name, reason = "Ready") =>
      until(() => {
        const instance = find("Instance", name);
        const ready = instance && findCondition(instance as Instance, "Ready"); // by its kind
        return ready?.reason === reason && ready.observedGeneration === instance?.metadata.generation;
      }),
    gone: (kind, name) => until(() => find(kind, name) === undefined),
    finished: (kind, name) =>
      until(() => {
        const object = find(kind, name);
        if (kind === "Execution") return !["Running", undefined].includes(asExecution(object)?.status?.state);
        const verdict = object && findCondition(object as WorkflowRun, "Succeeded"); // by its kind
        return verdict !== undefined && verdict.status !== "Unknown";
      }),
    step: (run, step, state) => until(() => stepOf(run, step)?.state === state),
    machines: (name) => world.machines().filter((each) => isNamed(each, name) && each.phase !== "destroyed"),
  };
}

function head(kind: string, name: string) {
  return { apiVersion: "fly.lightfast.ai/v1", kind, metadata: { name } };
}

function isNamed({ config }: MachineRecord, name: string): boolean {
  return config.metadata?.["flywheel-name"] === name;
}

// Found by their kind.
const asRun = (object: AnyResource | undefined) => object as WorkflowRun | undefined;
const asExecution = (object: AnyResource | undefined) => object as Execution | undefined;
