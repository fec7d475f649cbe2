// Plausible users of one namespace: they apply, edit, scale, suspend, run, cancel and delete, through the HTTP API, without
// waiting for each other.
import type { Random } from "../../controller/kernel/random.ts";
import { pick } from "./faults.ts";
import { SECRET } from "./invariants.ts";

export interface Operation {
  readonly method: "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
}

const NAMESPACED = "/apis/fly.lightfast.ai/v1/namespaces/default";
const BOXES = ["box-a", "box-b", "box-c", "box-d", "box-e", "box-f"];
const FLOWS = ["build", "test", "deploy"];
const API_VERSION = "fly.lightfast.ai/v1";

/** What the users remember having made; some of it is gone. */
export interface Memory {
  readonly boxes: Set<string>;
  readonly runs: string[];
}

type Act = (random: Random, serial: number, memory: Memory) => readonly Operation[];

/** With how many of a hundred operations are each. */
const ACTS: readonly (readonly [number, Act])[] = [
  [16, (random, _serial, memory) => [apply(pick(random, BOXES), random, memory)]],
  [14, (random) => [patch("instances", pick(random, BOXES), { spec: edit(random) })]],
  [
    6,
    (random, _serial, memory) =>
      BOXES.slice(0, Math.ceil(random.next() * BOXES.length)).map((name) => apply(name, random, memory)),
  ],
  [
    4,
    (random, _serial, memory) =>
      BOXES.slice(Math.ceil(random.next() * BOXES.length)).map((name) => removeInstance(name, memory)),
  ],
  [9, (random, _serial, memory) => [removeInstance(pick(random, BOXES), memory)]],
  [
    8,
    (random) => [
      patch("instances", pick(random, BOXES), {
        spec: { operatingMode: pick(random, ["Running", "Suspended", "Stopped"]) },
      }),
    ],
  ],
  [6, (random) => [create("workflows", workflow(pick(random, FLOWS), random))]],
  [4, (random) => [patch("workflows", pick(random, FLOWS), { spec: workflow("x", random).spec })]],
  [1, (random) => [remove("workflows", pick(random, FLOWS))]],
  [12, (random, serial, memory) => [create("workflowruns", run(`run-${serial}`, random, memory))]],
  [
    4,
    (random, _serial, { runs }) =>
      someRun(random, runs).map((name) => patch("workflowruns", name, { spec: { cancel: true } })),
  ],
  [3, (random, _serial, { runs }) => someRun(random, runs).map((name) => remove("workflowruns", name))],
  [
    9,
    (random) => [
      {
        method: "POST",
        path: `/api/instances/${pick(random, BOXES)}/exec`,
        body: { command: script(random), timeout: 20_000 },
      },
    ],
  ],
  [
    4,
    (random) => [
      patch("instances", pick(random, BOXES), { metadata: { labels: { team: pick(random, ["red", "blue"]) } } }),
    ],
  ],
];

const TOTAL = ACTS.reduce((sum, [weight]) => sum + weight, 0);

/** What the users do next. */
export function nextOperations(random: Random, serial: number, memory: Memory): readonly Operation[] {
  let left = random.next() * TOTAL;
  for (const [weight, act] of ACTS) {
    left -= weight;
    if (left < 0) return act(random, serial, memory);
  }
  return [];
}

/** The object without which nothing runs: the workflows. */
export function firstOperations(random: Random): readonly Operation[] {
  return FLOWS.map((name) => create("workflows", workflow(name, random)));
}

function instance(name: string, random: Random) {
  return { apiVersion: API_VERSION, kind: "Instance", metadata: { name }, spec: { region: "iad", ...edit(random) } };
}

/** As `kubectl apply` does: made when it is new, changed when it is there. Now and then somebody is wrong about that. */
function apply(name: string, random: Random, { boxes }: Memory): Operation {
  const known = boxes.has(name) && random.next() < 0.9;
  boxes.add(name);
  return known ? patch("instances", name, { spec: edit(random) }) : create("instances", instance(name, random));
}

function removeInstance(name: string, { boxes }: Memory): Operation {
  boxes.delete(name);
  return remove("instances", name);
}

function edit(random: Random): Record<string, unknown> {
  return pick(random, [
    {},
    { env: { MODE: pick(random, ["a", "b", "c"]) } },
    { size: pick(random, ["shared-cpu-1x", "shared-cpu-2x"]) },
    { fallbackRegions: ["ord", "ewr"] },
    { rootfs: { persist: pick(random, ["Always", "Restart", "Never"]) } },
    { idle: { after: "1m", action: pick(random, ["Suspend", "Stop", "Delete"]) } },
    { ttl: pick(random, ["1m", "10m"]) },
    { deletionPolicy: "Orphan" },
    { command: ["sleep", "infinity"] },
    { operatingMode: "Running" },
  ]);
}

function workflow(name: string, random: Random) {
  const count = 1 + Math.floor(random.next() * 4);
  const shared = random.next() < 0.2;
  const steps = Array.from({ length: count }, (_, index) => ({
    name: `s${index}`,
    instance: "box",
    run: script(random),
    dependsOn: Array.from({ length: index }, (_each, before) => `s${before}`).filter(() => random.next() < 0.5),
    timeout: pick(random, ["10s", "1m", "5m"]),
    retry: {
      limit: Math.floor(random.next() * 3),
      backoff: "2s",
      on: pick(random, [["Failed"], ["Failed", "Timeout", "Lost"]]),
    },
  }));
  return {
    apiVersion: API_VERSION,
    kind: "Workflow",
    metadata: { name },
    spec: {
      parameters: [{ name: "token", default: "" }],
      instances: { box: shared ? { ref: pick(random, BOXES) } : {} },
      steps,
      cleanup: pick(random, ["Always", "Always", "OnSuccess", "Never"]),
    },
  };
}

function run(name: string, random: Random, { runs }: Memory) {
  runs.push(name);
  const parameters = { token: `${SECRET}-${name}` };
  return {
    apiVersion: API_VERSION,
    kind: "WorkflowRun",
    metadata: { name },
    spec: { workflowRef: { name: pick(random, FLOWS) }, parameters },
  };
}

function script(random: Random): string {
  const ms = Math.round(random.next() ** 3 * 40_000);
  return `sim ${ms} ${random.next() < 0.9 ? 0 : 3}`;
}

/** One of the last few, if there is one. */
function someRun(random: Random, runs: readonly string[]): readonly string[] {
  return runs.length === 0 ? [] : [pick(random, runs.slice(-5))];
}

export function create(plural: string, body: object): Operation {
  return { method: "POST", path: `${NAMESPACED}/${plural}`, body };
}

export function patch(plural: string, name: string, body: object): Operation {
  return { method: "PATCH", path: `${NAMESPACED}/${plural}/${name}`, body };
}

export function remove(plural: string, name: string): Operation {
  return { method: "DELETE", path: `${NAMESPACED}/${plural}/${name}` };
}
