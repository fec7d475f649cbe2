// Plausible users of two namespaces: they apply, edit, scale, suspend, run, cancel and delete, through the HTTP API, without
// waiting for each other. What they got wrong they put right once the storm is over.
import type { Random } from "../../controller/kernel/random.ts";
import { ACKNOWLEDGE_HOST_KEY } from "../../controller/transports/transport.ts";
import type { Instance } from "../../crds/instance.ts";
import { DEFAULT_NAMESPACE } from "../../crds/namespace.ts";
import { type AnyResource, findCondition } from "../../crds/resource.ts";
import { pick } from "./faults.ts";
import { SECRET } from "./invariants.ts";

export interface Operation {
  readonly method: "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
  /** Reads the object first, and sends it back changed. */
  readonly edits?: { object(each: AnyResource): boolean; change(read: AnyResource): unknown };
  /** How long the user waits with it; what is read is read before. */
  readonly afterMs?: number;
}

const BOXES = ["box-a", "box-b", "box-c", "box-d", "box-e", "box-f"];
const FLOWS = ["build", "test", "deploy"];
/** Has an Apply trigger: one run for each generation. */
const TRIGGERED = "nightly";
const API_VERSION = "fly.lightfast.ai/v1";
const IMAGE = "debian:12";
const NO_IMAGE = "no-such-image:1";
const OTHER_NAMESPACE = "team";

interface NamedRun {
  readonly name: string;
  readonly namespace: string;
}

/** What the users remember having made; some of it is gone. */
export interface Memory {
  /** As namespace/name. */
  readonly boxes: Set<string>;
  readonly runs: NamedRun[];
}

export function newMemory(): Memory {
  return { boxes: new Set(), runs: [] };
}

interface Turn {
  readonly random: Random;
  readonly serial: number;
  readonly memory: Memory;
  readonly namespace: string;
}

type Act = (turn: Turn) => readonly Operation[];

const box = ({ random }: Turn) => pick(random, BOXES);
const mode = (operatingMode: string) => ({ spec: { operatingMode } });

/** With how many of a hundred operations are each. */
const ACTS: readonly (readonly [number, Act])[] = [
  [14, (turn) => [apply(box(turn), turn)]],
  [12, (turn) => [editBox(turn, { spec: edit(turn.random) })]],
  [6, (turn) => BOXES.slice(0, Math.ceil(turn.random.next() * BOXES.length)).map((name) => apply(name, turn))],
  [4, (turn) => BOXES.slice(Math.ceil(turn.random.next() * BOXES.length)).map((name) => removeInstance(name, turn))],
  [7, (turn) => [removeInstance(box(turn), turn)]],
  [5, thoughtBetter],
  [4, inAnEditor],
  [3, atWork],
  [6, (turn) => [editBox(turn, mode(pick(turn.random, ["Running", "Suspended", "Stopped"])))]],
  [4, backAndForth],
  [4, madeAnew],
  [3, twice],
  [5, (turn) => [create("workflows", workflow(pick(turn.random, FLOWS), turn), turn.namespace)]],
  [3, (turn) => [editFlow(turn, { spec: workflow("x", turn).spec })]],
  [1, ({ random, namespace }) => [remove("workflows", pick(random, [...FLOWS, TRIGGERED]), namespace)]],
  [4, triggered],
  [11, (turn) => [startRun(`run-${turn.serial}`, turn)]],
  [4, (turn) => someRun(turn).map((run) => patch("workflowruns", run.name, { spec: { cancel: true } }, run.namespace))],
  [3, (turn) => someRun(turn).map((run) => remove("workflowruns", run.name, run.namespace))],
  [8, (turn) => [exec(turn)]],
  [4, (turn) => [editBox(turn, { metadata: { labels: { team: pick(turn.random, ["red", "blue"]) } } })]],
  [1, ({ namespace }) => [{ method: "DELETE", path: `/api/v1/namespaces/${namespace}` }, ...firstOf(namespace)]],
];

const TOTAL = ACTS.reduce((sum, [weight]) => sum + weight, 0);

/** What the users do next. */
export function nextOperations(random: Random, serial: number, memory: Memory): readonly Operation[] {
  const namespace = random.next() < 0.75 ? DEFAULT_NAMESPACE : OTHER_NAMESPACE;
  let left = random.next() * TOTAL;
  for (const [weight, act] of ACTS) {
    left -= weight;
    if (left < 0) return act({ random, serial, memory, namespace });
  }
  return [];
}

/** The objects without which nothing runs: the other namespace and the workflows. */
export function firstOperations(random: Random): readonly Operation[] {
  const memory = newMemory();
  return [
    ...firstOf(OTHER_NAMESPACE),
    ...[DEFAULT_NAMESPACE, OTHER_NAMESPACE].flatMap((namespace) =>
      FLOWS.map((name) => create("workflows", workflow(name, { random, serial: 0, memory, namespace }), namespace)),
    ),
  ];
}

/** What is put right by people once the storm is over: nothing else would ever be as it should. */
export function mendings(objects: Iterable<AnyResource>): readonly Operation[] {
  return [...objects].filter((each): each is Instance => each.kind === "Instance").flatMap(mending);
}

function mending(instance: Instance): readonly Operation[] {
  const { name, namespace, annotations, deletionTimestamp } = instance.metadata;
  if (deletionTimestamp !== undefined) return [];
  if (instance.spec.image === NO_IMAGE) return [patch("instances", name, { spec: { image: IMAGE } }, namespace)];
  const version = instance.status?.machine?.instanceId;
  const mistrusted = findCondition(instance, "Reachable")?.reason === "HostKeyMismatch";
  if (!mistrusted || version === undefined || annotations?.[ACKNOWLEDGE_HOST_KEY] === version) return [];
  const acknowledged = { metadata: { annotations: { [ACKNOWLEDGE_HOST_KEY]: version } } };
  return [patch("instances", name, acknowledged, namespace)];
}

function firstOf(namespace: string): readonly Operation[] {
  const body = { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } };
  return namespace === DEFAULT_NAMESPACE ? [] : [{ method: "POST", path: "/api/v1/namespaces", body }];
}

/** A change that is taken back before anybody has acted on it. */
function backAndForth(turn: Turn): readonly Operation[] {
  const { random, namespace } = turn;
  const name = box(turn);
  const [there, back] = pick(random, [
    [mode("Suspended"), mode("Running")],
    [mode("Stopped"), mode("Running")],
    [{ spec: { env: { MODE: "b" } } }, { spec: { env: { MODE: "a" } } }],
  ]);
  return [there, back].map((change) => patch("instances", name, change, namespace));
}

/** Deleted and made again under the same name, at once: another uid, and never the old machine. */
function madeAnew(turn: Turn): readonly Operation[] {
  const name = box(turn);
  const gone = removeInstance(name, turn);
  turn.memory.boxes.add(`${turn.namespace}/${name}`);
  return [gone, create("instances", instance(name, turn.random), turn.namespace)];
}

/** A command that lasts longer than the time after which its machine would be idle. */
function atWork(turn: Turn): readonly Operation[] {
  const { random, namespace } = turn;
  const name = box(turn);
  const body = { command: `sim ${12_000 + Math.round(random.next() * 6000)} 0`, timeout: 20_000 };
  return [
    patch(
      "instances",
      name,
      { spec: { idle: { after: "10s", action: pick(random, ["Suspend", "Stop"]) } } },
      namespace,
    ),
    { method: "POST", path: `/api/instances/${name}/exec?namespace=${namespace}`, body, afterMs: random.next() * 8000 },
  ];
}

/** As `kubectl edit` does: what was read some time ago comes back, and says what it was. */
function inAnEditor(turn: Turn): readonly Operation[] {
  const { random, namespace } = turn;
  const name = box(turn);
  const edits = {
    object: ({ kind, metadata }: AnyResource) =>
      kind === "Instance" && metadata.name === name && metadata.namespace === namespace,
    change: (read: AnyResource) => ({ ...read, spec: { ...(read as Instance).spec, ...edit(random) } }), // by its kind
  };
  return [
    { method: "PUT", path: patch("instances", name, {}, namespace).path, edits, afterMs: random.next() * 20_000 },
  ];
}

/** What was just asked for is not wanted after all, while its machine is still being made. */
function thoughtBetter(turn: Turn): readonly Operation[] {
  const name = `draft-${turn.serial}`;
  return [
    apply(name, turn),
    { ...removeInstance(name, turn), afterMs: turn.random.next() * pick(turn.random, [3000, 30_000]) },
  ];
}

/** A client that was not answered asks again. */
function twice(turn: Turn): readonly Operation[] {
  const asked = pick(turn.random, [startRun, (_name: string, all: Turn) => apply(box(all), all)])(
    `run-${turn.serial}`,
    turn,
  );
  return [asked, asked];
}

/** An Apply trigger, applied and then edited: a run for each of its generations. */
function triggered({ random, namespace }: Turn): readonly Operation[] {
  const spec = {
    parameters: [{ name: "token", default: "" }],
    triggers: [{ type: "Apply", parameters: { token: `${SECRET}-trigger` } }],
    instances: { box: {} },
    steps: [{ name: "s0", run: script(random), timeout: "1m" }],
    cleanup: "Always",
  };
  const manifest = { apiVersion: API_VERSION, kind: "Workflow", metadata: { name: TRIGGERED }, spec };
  return [create("workflows", manifest, namespace), patch("workflows", TRIGGERED, { spec }, namespace)];
}

function exec(turn: Turn): Operation {
  const path = `/api/instances/${box(turn)}/exec?namespace=${turn.namespace}`;
  return { method: "POST", path, body: { command: script(turn.random), timeout: 20_000 } };
}

function instance(name: string, random: Random) {
  return { apiVersion: API_VERSION, kind: "Instance", metadata: { name }, spec: { region: "iad", ...edit(random) } };
}

/** As `kubectl apply` does: made when it is new, changed when it is there. Now and then somebody is wrong about that. */
function apply(name: string, { random, namespace, memory: { boxes } }: Turn): Operation {
  const id = `${namespace}/${name}`;
  const known = boxes.has(id) && random.next() < 0.9;
  boxes.add(id);
  if (known) return patch("instances", name, { spec: edit(random) }, namespace);
  return create("instances", instance(name, random), namespace);
}

function editBox(turn: Turn, change: object): Operation {
  return patch("instances", box(turn), change, turn.namespace);
}

function editFlow({ random, namespace }: Turn, change: object): Operation {
  return patch("workflows", pick(random, FLOWS), change, namespace);
}

function removeInstance(name: string, { memory: { boxes }, namespace }: Turn): Operation {
  boxes.delete(`${namespace}/${name}`);
  return remove("instances", name, namespace);
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
    { idle: { after: "10s", action: "Suspend" } },
    { deletionPolicy: "Orphan" },
    { deletionPolicy: "Delete" },
    { image: pick(random, [IMAGE, NO_IMAGE]) },
    { command: ["sleep", "infinity"] },
    { operatingMode: "Running" },
  ]);
}

function workflow(name: string, { random }: Turn) {
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
      backoff: pick(random, ["2s", "20s"]),
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

function startRun(name: string, { random, namespace, memory: { runs } }: Turn): Operation {
  runs.push({ name, namespace });
  const spec = { workflowRef: { name: pick(random, FLOWS) }, parameters: { token: `${SECRET}-${name}` } };
  return create("workflowruns", { apiVersion: API_VERSION, kind: "WorkflowRun", metadata: { name }, spec }, namespace);
}

function script(random: Random): string {
  const ms = Math.round(random.next() ** 3 * 40_000);
  return `sim ${ms} ${random.next() < 0.85 ? 0 : 3}`;
}

/** One of the last few, if there is one. */
function someRun({ random, memory: { runs } }: Turn): readonly NamedRun[] {
  return runs.length === 0 ? [] : [pick(random, runs.slice(-5))];
}

export function create(plural: string, body: object, namespace?: string): Operation {
  return { method: "POST", path: pathOf(plural, namespace), body };
}

export function patch(plural: string, name: string, body: object, namespace?: string): Operation {
  return { method: "PATCH", path: `${pathOf(plural, namespace)}/${name}`, body };
}

export function remove(plural: string, name: string, namespace?: string): Operation {
  return { method: "DELETE", path: `${pathOf(plural, namespace)}/${name}` };
}

function pathOf(plural: string, namespace = DEFAULT_NAMESPACE): string {
  return `/apis/fly.lightfast.ai/v1/namespaces/${namespace}/${plural}`;
}
