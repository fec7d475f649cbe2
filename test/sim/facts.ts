// What a user can see when all is quiet, and what really happened to machines and jobs: one line for each. Two plays of one
// scenario must agree in every line, whatever died in between; times and generated names are in none of them.
import type { MachineRecord } from "../../controller/emulator/machine-record.ts";
import { jsonHash } from "../../controller/kernel/json.ts";
import type { Execution } from "../../crds/execution.ts";
import type { Instance } from "../../crds/instance.ts";
import { type AnyResource, findCondition } from "../../crds/resource.ts";
import type { WorkflowRun } from "../../crds/workflow-run.ts";
import type { HistoryRow } from "./invariants.ts";
import type { BegunJob } from "./jobs-on-machines.ts";

export type Facts = ReadonlyMap<string, string>;

export interface Witness {
  committed(row: HistoryRow): void;
  machineChanged(record: MachineRecord): void;
  began(job: BegunJob): void;
  exited(job: BegunJob, exitCode: number): void;
  facts(objects: Iterable<AnyResource>): Facts;
}

interface SeenMachine {
  readonly label: string;
  readonly record: MachineRecord;
  readonly phases: string[];
}

export function createWitness(): Witness {
  const names = new Map<string, string>();
  const machines = new Map<string, SeenMachine>();
  const attempts = new Map<string, string[]>();

  function labelOf({ config }: MachineRecord): string {
    const owner = config.metadata?.["flywheel-name"] ?? "nobody";
    const count = [...machines.values()].filter((each) => each.label.startsWith(`${owner} `)).length;
    return `${owner} ${count + 1}`;
  }

  function seenOf(record: MachineRecord): SeenMachine {
    const seen = machines.get(record.id) ?? { label: labelOf(record), record, phases: [] };
    machines.set(record.id, seen);
    return seen;
  }

  function happened({ key, machineId }: BegunJob, what: string): void {
    const id = `attempt ${names.get(key.run)}/${key.step}/${key.attempt}`;
    const on = machines.get(machineId)?.label ?? "a machine that nobody has made";
    attempts.set(id, [...(attempts.get(id) ?? []), `${what} on ${on}`]);
  }

  return {
    committed({ body, name, object }) {
      const known: AnyResource = object ?? JSON.parse(body); // stored text is an object
      names.set(known.metadata.uid, name);
    },
    machineChanged(record) {
      const { phases } = seenOf(record);
      if (phases.at(-1) !== record.phase) phases.push(record.phase);
    },
    began: (job) => happened(job, "begins"),
    exited: (job, exitCode) => happened(job, `exits ${exitCode}`),
    facts(objects) {
      const told = [...objects].flatMap((object) => linesOf(object));
      const made = [...machines.values()].flatMap((each) => machineLines(each));
      const ran = [...attempts].map(([id, events]) => [id, events.join(", ")] as const);
      return new Map([...told, ...made, ...ran].sort(([a], [b]) => (a < b ? -1 : 1)));
    },
  };
}

/** What differs, in words; what `varies` matches is not looked at. */
export function differences(reference: Facts, found: Facts, varies: RegExp | undefined): readonly string[] {
  return [...new Set([...reference.keys(), ...found.keys()])]
    .filter((what) => !varies?.test(what) && reference.get(what) !== found.get(what))
    .map((what) => `${what} is "${found.get(what) ?? "absent"}", undisturbed "${reference.get(what) ?? "absent"}"`);
}

type Line = readonly [string, string];

function linesOf(object: AnyResource): readonly Line[] {
  const { kind, metadata } = object;
  const id = `${kind} ${metadata.name}`;
  if (kind === "Event") return []; // they tell a story, and a story may be told twice
  const spec = "spec" in object ? jsonHash(object.spec) : "";
  return [[`${id} spec`, spec], ...statusLines(id, object)];
}

// Each status is that of its kind.
function statusLines(id: string, object: AnyResource): readonly Line[] {
  switch (object.kind) {
    case "Instance": {
      const { status } = object as Instance;
      const ready = findCondition(object as Instance, "Ready");
      const machine = `${status?.effectiveMode} machine ${status?.machine?.state} in ${status?.machine?.region}`;
      return [
        [id, `${ready?.status} ${ready?.reason}, ${machine}`],
        [`${id} incarnation`, String(status?.provisioning?.incarnation)],
        [`${id} unfinished`, `${status?.pending?.action} ${status?.provisioning?.requestedAt !== undefined}`],
      ];
    }
    case "WorkflowRun": {
      const run = object as WorkflowRun;
      const verdict = findCondition(run, "Succeeded");
      const steps = run.status?.steps ?? [];
      return [
        [id, `${verdict?.status} ${verdict?.reason}`],
        ...steps.map(({ name, state, attempts, exitCode, reason }): Line => {
          return [`${id} step ${name}`, `${state} after ${attempts}, exit code ${exitCode}, ${reason}`];
        }),
      ];
    }
    case "Execution": {
      const { status } = object as Execution;
      return [[id, `${status?.state}, exit code ${status?.exitCode}`]];
    }
    default:
      return [];
  }
}

function machineLines({ label, record, phases }: SeenMachine): readonly Line[] {
  const { env, guest, metadata } = record.config;
  return [
    [`machine ${label}`, `${record.phase} in ${record.region}, ${jsonHash({ env, guest })}`],
    [
      `machine ${label} owner`,
      Object.keys(metadata ?? {})
        .sort()
        .join(),
    ],
    [`machine ${label} life`, phases.join(" ")],
  ];
}
