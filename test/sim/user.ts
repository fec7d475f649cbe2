// A user with patience, who drives a scenario: asks until the server has answered, then waits until what he asked for is
// there. A server that died before it answered may have done it already, so being told so is an answer too.
import type { MachineRecord } from "../../controller/emulator/machine-record.ts";
import type { Execution } from "../../crds/execution.ts";
import type { Instance } from "../../crds/instance.ts";
import { type AnyResource, API_VERSION, findCondition } from "../../crds/resource.ts";
import type { StepStatus, WorkflowRun } from "../../crds/workflow-run.ts";
import { create, type Operation, patch, remove } from "./workload.ts";
import type { World } from "./world.ts";

type Kind = "Instance" | "Workflow" | "WorkflowRun" | "Execution";

export interface User {
  readonly cloud: World["cloud"];
  create(kind: Kind, name: string, spec: object): Promise<void>;
  edit(kind: Kind, name: string, spec: object): Promise<void>;
  remove(kind: Kind, name: string): Promise<void>;
  /** Until the instance says of its present spec that it is so. */
  settled(instance: string, reason?: string): Promise<void>;
  /** Until the instance says of its machine that it is in a state. */
  machineIs(instance: string, state: string): Promise<void>;
  gone(kind: Kind, name: string): Promise<void>;
  finished(kind: "WorkflowRun" | "Execution", name: string): Promise<void>;
  step(run: string, step: string, state: StepStatus["state"]): Promise<void>;
  /** Until an attempt was seen on its machine. */
  acknowledged(run: string, step: string, attempt: number): Promise<void>;
  until(holds: () => boolean): Promise<void>;
  /** Machines that carry the instance's name and live. */
  machines(instance: string): readonly MachineRecord[];
}

/** What takes longest is a create whose outcome has to be found out, and a run that waits for it. */
const PATIENCE_MS = 30 * 60_000;
const PLURALS: Readonly<Record<Kind, string>> = {
  Instance: "instances",
  Workflow: "workflows",
  WorkflowRun: "workflowruns",
  Execution: "executions",
};

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
    create: (kind, name, spec) =>
      ask(create(PLURALS[kind], { apiVersion: API_VERSION, kind, metadata: { name }, spec }), CONFLICT),
    edit: (kind, name, spec) => ask(patch(PLURALS[kind], name, { spec })),
    remove: (kind, name) => ask(remove(PLURALS[kind], name), NOT_FOUND),
    settled: (name, reason = "Ready") =>
      until(() => {
        const instance = find("Instance", name);
        const ready = instance && findCondition(instance as Instance, "Ready"); // by its kind
        return ready?.reason === reason && ready.observedGeneration === instance?.metadata.generation;
      }),
    machineIs: (name, state) =>
      until(() => (find("Instance", name) as Instance | undefined)?.status?.machine?.state === state), // by its kind
    gone: (kind, name) => until(() => find(kind, name) === undefined),
    finished: (kind, name) =>
      until(() => {
        const object = find(kind, name);
        if (kind === "Execution") return !["Running", undefined].includes(asExecution(object)?.status?.state);
        const verdict = object && findCondition(object as WorkflowRun, "Succeeded"); // by its kind
        return verdict !== undefined && verdict.status !== "Unknown";
      }),
    step: (run, step, state) => until(() => stepOf(run, step)?.state === state),
    acknowledged: (run, step, attempt) =>
      until(() => {
        const status = stepOf(run, step);
        return status?.state === "Running" && status.attempts === attempt && status.acknowledgedAt !== undefined;
      }),
    machines: (name) => world.machines().filter((each) => isNamed(each, name) && each.phase !== "destroyed"),
  };
}

function isNamed({ config }: MachineRecord, name: string): boolean {
  return config.metadata?.["flywheel-name"] === name;
}

// Found by their kind.
const asRun = (object: AnyResource | undefined) => object as WorkflowRun | undefined;
const asExecution = (object: AnyResource | undefined) => object as Execution | undefined;
