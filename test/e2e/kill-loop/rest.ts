// When everything has come to rest after the last death, and what must be true of the machines, the runs and the commands
// then.
import type { Execution } from "../../../crds/execution.ts";
import type { Instance } from "../../../crds/instance.ts";
import { type AnyResource, findCondition } from "../../../crds/resource.ts";
import type { WorkflowRun } from "../../../crds/workflow-run.ts";
import { ATTEMPTS } from "./clients.ts";
import type { MadeMachine } from "./machines-made.ts";

export interface AtRest {
  readonly instances: readonly Instance[];
  readonly runs: readonly WorkflowRun[];
  readonly executions: readonly Execution[];
  /** Destroyed ones included. */
  readonly machines: readonly MadeMachine[];
}

/** Why it is not at rest yet. */
export function unrest({ instances, runs, executions, machines }: AtRest): readonly string[] {
  const leaving = [...instances, ...runs, ...executions].filter((each) => each.metadata.deletionTimestamp);
  const live = machines.filter(isLive);
  return [
    ...leaving.map((each) => `${nameOf(each)} is being deleted`),
    ...runs.filter((run) => verdictOf(run) === "Unknown").map((run) => `${nameOf(run)} is not over`),
    ...executions.filter(({ status }) => !isOver(status)).map((each) => `${nameOf(each)} is not over`),
    ...instances.flatMap((instance) => unsettled(instance, live)),
    ...live
      .filter((machine) => !instances.some(({ metadata }) => metadata.uid === uidOf(machine)))
      .map(({ id, name }) => `machine ${id} (${name}) has no instance`),
  ];
}

/** Where it shall be, and the one machine that it has, in the state that it shall have. */
function unsettled(instance: Instance, live: readonly MadeMachine[]): readonly string[] {
  const { metadata, spec, status } = instance;
  const what = `${nameOf(instance)} (${spec.operatingMode})`;
  const own = live.filter((machine) => uidOf(machine) === metadata.uid);
  const [machine] = own;
  if (!machine || own.length > 1) return [`${what} has ${own.length} machines`];
  if (status?.machine?.id !== machine.id) return [`${what} has ${status?.machine?.id}, and ${machine.id} is there`];
  if (status.observedGeneration !== metadata.generation) return [`${what} is not observed`];
  if (status.machine.state !== machine.phase) return [`${what} is seen ${status.machine.state}, not ${machine.phase}`];
  if (spec.operatingMode !== "Running")
    return ["stopped", "suspended"].includes(machine.phase) ? [] : [`${what} is ${machine.phase}`];
  const ready = findCondition(instance, "Ready");
  if (machine.phase !== "started" || ready?.status !== "True") return [`${what} is ${ready?.reason} ${ready?.message}`];
  return [];
}

/** Nothing fails here but what was killed, so nothing is ever made anew. */
export function doubledMachines(machines: readonly MadeMachine[]): readonly string[] {
  return [...new Set(machines.map(uidOf))].flatMap((uid) => {
    const made = machines.filter((machine) => uidOf(machine) === uid);
    if (made.length === 1) return [];
    return [`instance ${uid} was given ${made.map(({ id, phase }) => `${id} (${phase})`).join(", ")}`];
  });
}

/** Attempts as the machines told them, compared with what status says of every run that there ever was. */
export function attemptProblems(
  runs: Iterable<WorkflowRun>,
  marks: ReadonlyMap<string, number>,
): { readonly problems: readonly string[]; readonly attempts: number } {
  const problems = [...marks].filter(([, count]) => count !== 1).map(([line, count]) => `${count} times: ${line}`);
  const allowed = new Set<string>();
  let attempts = 0;
  for (const run of runs) {
    const untouched = !run.spec.cancel && !run.metadata.deletionTimestamp;
    if (untouched && verdictOf(run) !== "True")
      problems.push(`${nameOf(run)} was left alone and is not a success: ${JSON.stringify(run.status)}`);
    for (const { name, attempts: count, state } of run.status?.steps ?? []) {
      attempts += count;
      if (untouched && count !== ATTEMPTS.get(name)) problems.push(`${nameOf(run)}: ${name} took ${count} attempts`);
      for (let attempt = 1; attempt <= count; attempt += 1) {
        const line = `${run.metadata.uid} ${name} ${attempt}`;
        allowed.add(line);
        const whole = marks.has(`${line} begun`) && marks.has(`${line} ended`);
        if ((untouched || (state === "Succeeded" && attempt === count)) && !whole) problems.push(`missing: ${line}`);
      }
    }
  }
  const steps = [...marks.keys()].filter((line) => line.endsWith(" begun") || line.endsWith(" ended"));
  const unknown = steps.filter((line) => !allowed.has(line.slice(0, -" begun".length)));
  return { problems: [...problems, ...unknown.map((line) => `status knows nothing of: ${line}`)], attempts };
}

/** A command that succeeded has run; none has run that does not exist. That none ran twice is seen with the attempts. */
export function commandProblems(
  executions: readonly Execution[],
  marks: ReadonlyMap<string, number>,
): readonly string[] {
  const marked = new Map(executions.map((each) => [/command [^.]+\./.exec(each.spec.command)?.[0] ?? "", each]));
  return [
    ...[...marked]
      .filter(([mark, { status }]) => status?.state === "Succeeded" && !marks.has(mark))
      .map(([mark]) => `said to have succeeded, and never ran: ${mark}`),
    ...[...marked]
      .filter(([, { status }]) => status?.state !== "Succeeded")
      .map(([mark, { status }]) => `${mark} is ${status?.state}: ${status?.message}`),
    ...[...marks.keys()]
      .filter((line) => line.startsWith("command ") && !marked.has(line))
      .map((line) => `ran, and does not exist: ${line}`),
  ];
}

function verdictOf(run: WorkflowRun): string {
  return findCondition(run, "Succeeded")?.status ?? "Unknown";
}

function isOver(status: Execution["status"]): boolean {
  return status !== undefined && status.state !== "Running";
}

function isLive({ phase }: MadeMachine): boolean {
  return phase !== "destroyed";
}

function uidOf({ config }: MadeMachine): string {
  return config.metadata?.["flywheel-uid"] ?? "";
}

function nameOf({ kind, metadata }: AnyResource): string {
  return `${kind} ${metadata.name}`;
}
