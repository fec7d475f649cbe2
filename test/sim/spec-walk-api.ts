// Every field of every kind with every value, through the API: by create, by a merge patch and by a replace. What is refused
// says which field and why, and changes nothing; what is accepted is stored as it was written.
import { isJsonObject, jsonEqual } from "../../controller/kernel/json.ts";
import { MAX_OBJECT_BYTES } from "../../controller/limits.ts";
import { apiVersionOf, type KindDef } from "../../crds/resource.ts";
import { type Answer, type TestApi, testApi } from "../api/test-api.ts";
import { type Field, fieldsOf, specNode } from "./spec-walk-fields.ts";
import { fixtureOf, specsAround } from "./spec-walk-kinds.ts";
import { ABSENT, type Case, casesOf, place } from "./spec-walk-values.ts";

export interface Walked {
  readonly kind: KindDef;
  readonly field: Field;
  readonly label: string;
  /** What was sent. */
  readonly spec: Readonly<Record<string, unknown>>;
  /** What was stored. */
  readonly stored: Readonly<Record<string, unknown>>;
}

export interface Walk {
  readonly accepted: readonly Walked[];
  readonly fields: number;
  readonly cases: number;
  /** What is not as it should be. */
  readonly problems: readonly string[];
}

const SETTLED = "settled";
/** What an answer may say at most: whoever sends a thousand mistakes need not be told of each. */
const ANSWER_MAX_CHARS = 64 * 1024;

export async function walkApi(kinds: readonly KindDef[]): Promise<Walk> {
  const accepted: Walked[] = [];
  const problems: string[] = [];
  let [fields, cases] = [0, 0];
  for (const kind of kinds) {
    const desk = await deskOf(kind);
    for (const field of fieldsOf(kind)) {
      const seen = { accept: 0, refuse: 0 };
      for (const each of casesOf(field)) {
        const { problem, walked } = await tryCase(desk, kind, field, each);
        if (problem !== undefined) problems.push(`${kind.kind} ${field.name} ${each.label}: ${problem}`);
        if (walked) accepted.push(walked);
        seen[walked ? "accept" : "refuse"] += 1;
        cases += 1;
      }
      if (seen.accept === 0) problems.push(`${kind.kind} ${field.name}: no value was accepted`);
      if (seen.refuse === 0) problems.push(`${kind.kind} ${field.name}: no value was refused`);
      fields += 1;
    }
  }
  return { accepted, fields, cases, problems };
}

/** The API, and one object of the kind that must not change by what is refused. */
interface Desk {
  readonly api: TestApi;
  readonly path: string;
  /** One that was never used: what is deleted may take its time to go. */
  nextName(): string;
  readonly manifest: (name: string, spec: unknown, resourceVersion?: string) => object;
}

async function deskOf(kind: KindDef): Promise<Desk> {
  const api = await testApi();
  const root = kind.group === "" ? `/api/${kind.version}` : `/apis/${apiVersionOf(kind)}`;
  const path = kind.scope === "Cluster" ? `${root}/${kind.plural}` : `${root}/namespaces/default/${kind.plural}`;
  const manifest = (name: string, spec: unknown, resourceVersion?: string) => ({
    apiVersion: apiVersionOf(kind),
    kind: kind.kind,
    metadata: { name, ...(resourceVersion && { resourceVersion }) },
    spec,
  });
  const { status, body } = await api.send("POST", path, manifest(SETTLED, fixtureOf(kind).spec));
  if (status !== 201) throw new Error(`the spec to begin from is refused: ${body.message}`);
  let names = 0;
  const nextName = () => {
    names += 1;
    return `tried-${names}`;
  };
  return { api, path, manifest, nextName };
}

async function tryCase(
  desk: Desk,
  kind: KindDef,
  field: Field,
  { label, value, expect }: Case,
): Promise<{ readonly problem?: string | undefined; readonly walked?: Walked }> {
  const fixture = fixtureOf(kind);
  const other = fixture.agrees?.[field.name];
  const root = specNode(kind);
  let problem: string | undefined;
  for (const base of specsAround(fixture, field.name)) {
    // A spec is an object, whatever is placed in it.
    const tried = place(base, root, field.path, value) as Readonly<Record<string, unknown>>;
    const name = desk.nextName();
    const answer = await sent(desk, "POST", desk.path, desk.manifest(name, tried));
    if (answer.status === 201) {
      const { stored, problem } = await storedAs(desk, name, tried, answer);
      if (expect === "refuse") return { problem: `is accepted, as ${JSON.stringify(stored).slice(0, 200)}` };
      return { problem, walked: { kind, field, label, spec: tried, stored } };
    }
    const named = [...field.name.split(/[.[{]/).slice(0, 2)].join(".");
    const names = other === undefined ? [named] : [named, other];
    problem ??= refusalProblem(answer, names) ?? (await untouched(desk, names, tried, patched(value)));
  }
  return { problem: problem ?? (expect === "accept" && !other ? "is refused" : undefined) };
}

async function storedAs(desk: Desk, name: string, tried: object, { body }: Answer) {
  const problem = lost(tried, body.spec, "spec");
  await desk.api.send("DELETE", `${desk.path}/${name}`);
  return { stored: body.spec, problem };
}

/** The first member of what was sent that is not in what was stored; null is as good as absent. */
function lost(sentValue: unknown, stored: unknown, path: string): string | undefined {
  if (Array.isArray(sentValue) && Array.isArray(stored) && sentValue.length === stored.length) {
    return sentValue.map((item, index) => lost(item, stored[index], `${path}[${index}]`)).find((each) => each);
  }
  if (isJsonObject(sentValue) && isJsonObject(stored)) {
    for (const key of Object.keys(sentValue)) {
      if (sentValue[key] === null || sentValue[key] === undefined) continue;
      const inner = `${path}.${key}`;
      const found = Object.hasOwn(stored, key) ? lost(sentValue[key], stored[key], inner) : `does not keep ${inner}`;
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return jsonEqual(sentValue, stored) ? undefined : `does not keep ${path}`;
}

/** By turns; what a merge patch would remove is only seen by a replace. */
function patched(value: unknown): boolean {
  return value !== ABSENT && value !== null && typeof value !== "object";
}

/** The same as a patch or a replace of an object that exists, of which nothing may change. */
async function untouched(
  desk: Desk,
  names: readonly string[],
  spec: object,
  asPatch: boolean,
): Promise<string | undefined> {
  const path = `${desk.path}/${SETTLED}`;
  const before = await desk.api.send("GET", path);
  const revision = await desk.api.store.revision();
  const answer = asPatch
    ? await sent(desk, "PATCH", path, { spec })
    : await sent(desk, "PUT", path, desk.manifest(SETTLED, spec, before.body.metadata.resourceVersion));
  const problem = refusalProblem(answer, names);
  if (problem !== undefined) return `${asPatch ? "PATCH" : "PUT"}: ${problem}`;
  const after = await desk.api.send("GET", path);
  if ((await desk.api.store.revision()) !== revision) return "something was written";
  return jsonEqual(before.body, after.body) ? undefined : "the object has changed";
}

/** Why this is no good refusal. */
function refusalProblem({ status, body }: Answer, names: readonly string[]): string | undefined {
  const text = JSON.stringify(body);
  if (status < 400 || status >= 500) return `answers ${status}: ${text.slice(0, 300)}`;
  if (body.kind !== "Status" || typeof body.message !== "string") return `answers ${text.slice(0, 300)}`;
  if (text.length > ANSWER_MAX_CHARS) return `answers ${text.length} characters`;
  if (/\bzod\b|expected .* received|Invalid input/i.test(body.message)) return `speaks as zod: ${body.message}`;
  // An object is too large as a whole; its own size is what is said of it.
  if (status === 413) return body.message.includes(String(MAX_OBJECT_BYTES)) ? undefined : body.message;
  const causes = body.details?.causes ?? [];
  if (causes.length === 0) return `names no cause: ${body.message.slice(0, 300)}`;
  const named = causes.some((cause) => cause.message !== "" && names.some((name) => cause.field.startsWith(name)));
  return named
    ? undefined
    : `names another field: ${causes
        .map((cause) => cause.field)
        .join()
        .slice(0, 300)}`;
}

/** JSON, or YAML where JSON has no word for a number. */
async function sent({ api }: Desk, method: string, path: string, body: object): Promise<Answer> {
  let beyond = false;
  const text = JSON.stringify(body, (_key, value: unknown) => {
    if (value === ABSENT) throw new TypeError("absent was placed");
    if (typeof value !== "number" || Number.isFinite(value)) return value;
    beyond = true;
    return Number.isNaN(value) ? "@.nan@" : "@.inf@";
  });
  const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
  if (!beyond) return api.send(method, path, text, { "content-type": type });
  if (method === "PATCH") return api.send(method, path, text.replace(/"@.*?@"/g, "1e999"), { "content-type": type });
  return api.send(method, path, text.replace(/"@(.*?)@"/g, "$1"), { "content-type": "application/yaml" });
}
