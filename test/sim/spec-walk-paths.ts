// What a spec comes to may not depend on the way to it: made so, edited to it at rest, edited while its machine is being
// made, edited back, with the process killed in between. Each way ends in what a new object of that spec comes to.
import type { MachineRecord } from "../../controller/emulator/machine-record.ts";
import { isJsonObject, type Json, type JsonObject, jsonEqual, stableStringify } from "../../controller/kernel/json.ts";
import { PHASES } from "../../controller/machines/model.ts";
import { OWNER } from "../../controller/machines/wire.ts";
import { type Instance, instanceKind } from "../../crds/instance.ts";
import type { Walk } from "./spec-walk-api.ts";
import { fixtureOf } from "./spec-walk-kinds.ts";
import { unlike } from "./spec-walk-machine.ts";
import { restless, script, settled, tell } from "./spec-walk-world.ts";
import { create, remove } from "./workload.ts";
import { simWorld, type World } from "./world.ts";

export interface Subject {
  readonly label: string;
  readonly spec: JsonObject;
}

/** In one world; more only make its lists of machines longer. */
const SUBJECTS = 24;

/** Instances that the walk over the API has found possible, no two of which are stored alike. */
export function subjectsOf({ accepted }: Walk, perField: number): readonly Subject[] {
  const seen = new Set<string>();
  const counts = new Map<string, number>();
  return accepted.flatMap(({ kind, field, label, spec, stored }) => {
    const text = stableStringify(stored);
    const count = counts.get(field.name) ?? 0;
    if (kind !== instanceKind || seen.has(text) || count >= perField) return [];
    seen.add(text);
    counts.set(field.name, count + 1);
    return [{ label: `${field.name} ${label}`, spec: spec as JsonObject }]; // it was sent as JSON
  });
}

/** What is wrong, in words. */
export async function walkPaths(subjects: readonly Subject[]): Promise<readonly string[]> {
  const problems: string[] = [];
  for (let from = 0; from < subjects.length; from += SUBJECTS) {
    problems.push(...(await walkWorld(from + 1, subjects.slice(from, from + SUBJECTS))));
  }
  return problems;
}

type Way = "made" | "edited" | "early";
const WAYS: readonly Way[] = ["made", "edited", "early"];

/** Instances of all `subjects`, each made in three ways, in one world. */
async function walkWorld(seed: number, subjects: readonly Subject[]): Promise<string[]> {
  const base = fixtureOf(instanceKind).spec as JsonObject; // it is written as JSON
  const plan = script();
  const world = simWorld(seed, undefined, plan);
  const problems: string[] = [];
  const nameOf = (index: number, way: Way) => `s${index}-${way}`;
  const each = (act: (subject: Subject, name: string, way: Way) => Promise<void>) =>
    Promise.all(subjects.flatMap((subject, index) => WAYS.map((way) => act(subject, nameOf(index, way), way))));
  try {
    world.start();
    await world.clock.settle();
    await tell(world, create("instances", manifest("reference", base)));
    await each((subject, name, way) => make(world, name, way === "made" ? subject.spec : base));
    // Some are still waiting for their turn, some are being made, some exist.
    await world.clock.advance(BEING_MADE_MS);
    await each(async (subject, name, way) => {
      if (way === "early") problems.push(...(await edit(world, name, base, subject.spec, "PUT")));
    });
    await settled(world);
    await each(async (subject, name, way) => {
      if (way === "edited") problems.push(...(await edit(world, name, base, subject.spec, "PATCH")));
    });
    await settled(world);
    for (const [index, subject] of subjects.entries()) {
      const [made, ...others] = WAYS.map((way) => viewOf(world, nameOf(index, way)));
      for (const [at, view] of others.entries()) {
        problems.push(...difference(`${subject.label}, ${WAYS[at + 1]}`, made, view));
      }
      problems.push(...unlike(world, nameOf(index, "made")).map((what) => `${subject.label}: ${what}`));
    }
    await each(async (subject, name, way) => {
      if (way === "early") await edit(world, name, subject.spec, base, "PATCH");
      if (way === "early") await edit(world, name, base, subject.spec, "PUT");
      problems.push(...(await edit(world, name, subject.spec, base, way === "made" ? "PATCH" : "PUT")));
    });
    plan.kill();
    await settled(world);
    const reference = viewOf(world, "reference");
    await each(async (subject, name, way) => {
      if (find(world, name))
        problems.push(...difference(`${subject.label}, ${way}, and back`, reference, viewOf(world, name)));
    });
    problems.push(...(await restless(world)));
    for (const { metadata } of [...world.invariants.objects.values()]) {
      if (metadata.name.match(/^(s\d|reference)/)) await tell(world, remove("instances", metadata.name));
    }
    await settled(world);
    problems.push(...world.violations);
  } finally {
    world.close();
  }
  return problems;
}

const BEING_MADE_MS = 20_000;

async function make(world: World, name: string, spec: JsonObject): Promise<void> {
  const status = await tell(world, create("instances", manifest(name, spec)));
  if (status !== 201) throw new Error(`${name} was answered ${status}`);
}

function manifest(name: string, spec: JsonObject, resourceVersion?: string) {
  return {
    apiVersion: "fly.lightfast.ai/v1",
    kind: "Instance",
    metadata: { name, ...(resourceVersion && { resourceVersion }) },
    spec,
  };
}

/** Until the API has taken it; a refusal is a problem, since the spec is one that can be created. */
async function edit(
  world: World,
  name: string,
  from: JsonObject,
  to: JsonObject,
  how: "PUT" | "PATCH",
): Promise<string[]> {
  const path = `/apis/fly.lightfast.ai/v1/namespaces/default/instances/${name}`;
  for (;;) {
    const object = find(world, name);
    if (!object || object.metadata.deletionTimestamp) return []; // its time was up
    const body =
      how === "PUT" ? manifest(name, to, object.metadata.resourceVersion) : { spec: asPatch(from, to) ?? {} };
    const status = await tell(world, { method: how, path, body });
    if (status === 200 || status === 404) return [];
    if (status !== 409) return [`${name}: ${how} of ${stableStringify(to).slice(0, 300)} was answered ${status}`];
  }
}

/** RFC 7396: what turns `from` into `to`. */
function asPatch(from: Json | undefined, to: Json): Json {
  if (!isJsonObject(from) || !isJsonObject(to)) return to;
  const gone = Object.keys(from).filter((key) => to[key] === undefined || to[key] === null);
  const changed = Object.entries(to).filter(([key, value]) => value !== undefined && !jsonEqual(from[key], value));
  return Object.fromEntries([
    ...gone.map((key) => [key, null]),
    ...changed.map(([key, value]) => [key, asPatch(from[key], value ?? null)]),
  ]);
}

export function find(world: World, name: string): Instance | undefined {
  const objects = [...world.invariants.objects.values()];
  // Found by its kind.
  return objects.find((each) => each.kind === instanceKind.kind && each.metadata.name === name) as Instance | undefined;
}

export function liveMachines(world: World, name: string): readonly MachineRecord[] {
  return world
    .machines()
    .filter(({ phase, config }) => phase !== "destroyed" && config.metadata?.[OWNER.name] === name);
}

/** All that users and Fly can tell of it, without what is its own: ids, times, addresses. */
function viewOf(world: World, name: string): Json {
  const instance = find(world, name);
  const machines = liveMachines(world, name).map(({ phase, region, config }) => ({
    state: atRest(PHASES[phase].shown),
    region,
    config: impersonal({ ...config }, name),
  }));
  if (!instance) return { gone: true, machines };
  const { spec, status = {}, metadata } = instance;
  const {
    conditions = [],
    machine,
    startup: _s,
    provisioning: _p,
    observedGeneration,
    idle,
    expiresAt,
    ...rest
  } = status;
  return impersonal(
    {
      spec,
      conditions: Object.fromEntries(conditions.map((each) => [each.type, `${each.status} ${atRest(each.reason)}`])),
      stale: conditions.filter((each) => each.observedGeneration !== metadata.generation).map((each) => each.type),
      observed: observedGeneration === metadata.generation,
      machine: machine && { state: atRest(machine.state), region: machine.region },
      idle: idle && { ...idle, source: "", lastActivity: "", ...(idle.actsAt && { actsAt: "" }) },
      expires: expiresAt !== undefined,
      ...rest,
      machines,
    },
    name,
  );
}

/** A machine that was stopped before it was to be suspended has nothing to keep: both are rest. */
function atRest(word: string): string {
  return /^stopped$/i.test(word) ? "suspended" : word;
}

function impersonal(value: object, name: string): Json {
  const text = JSON.stringify(value, (key, member: unknown) => {
    if (key === "metadata" || key === "actedAt") return undefined;
    if (key === "raw_value" && typeof member === "string") {
      return Buffer.from(member, "base64")
        .toString("latin1")
        .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "<uid>");
    }
    return member;
  });
  return JSON.parse(text.replaceAll(name, "<name>"));
}

/** Where two views differ first. */
function difference(what: string, wanted: Json | undefined, found: Json | undefined, path = ""): string[] {
  if (jsonEqual(wanted, found)) return [];
  if (isJsonObject(wanted) && isJsonObject(found)) {
    const keys = [...new Set([...Object.keys(wanted), ...Object.keys(found)])];
    return keys.flatMap((key) => difference(what, wanted[key], found[key], `${path}.${key}`));
  }
  const shown = (value: Json | undefined) => (JSON.stringify(value) ?? "nothing").slice(0, 160);
  return [`${what}: ${path} is ${shown(found)}, made so it is ${shown(wanted)}`];
}
