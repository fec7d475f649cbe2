// Sets of fields, as Kubernetes writes down who manages what (FieldsV1). A set is a tree: each step is `f:` with a member's
// name, `k:` with the keys of an item of a map list, or `v:` with an item of a set; `.` says that the place itself is meant.
import { isJsonObject, type Json, type JsonObject, stableStringify } from "../../kernel/json.ts";

export interface FieldSet {
  /** The place itself belongs to the set, and not only something below it. */
  readonly here: boolean;
  readonly below: ReadonlyMap<string, FieldSet>;
}

export const EMPTY: FieldSet = { here: false, below: new Map() };
export const LEAF: FieldSet = { here: true, below: new Map() };

export const fieldStep = (name: string) => `f:${name}`;
export const valueStep = (value: Json) => `v:${stableStringify(value)}`;
export const keyStep = (keys: JsonObject) => `k:${stableStringify(keys)}`;

/** The member's name, when the step is one. */
export function fieldOf(step: string): string | undefined {
  return step.startsWith("f:") ? step.slice(2) : undefined;
}

export function isEmpty({ here, below }: FieldSet): boolean {
  return !here && below.size === 0;
}

/** Branches without any member are left out. */
export function setOf(here: boolean, below: Iterable<readonly [string, FieldSet]>): FieldSet {
  return { here, below: new Map([...below].filter(([, set]) => !isEmpty(set))) };
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a)) return b;
  return isEmpty(b) ? a : combine(a, b, (inA, inB) => inA || inB);
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  return isEmpty(a) || isEmpty(b) ? EMPTY : combine(a, b, (inA, inB) => inA && inB);
}

export function difference(a: FieldSet, b: FieldSet): FieldSet {
  return isEmpty(a) || isEmpty(b) ? a : combine(a, b, (inA, inB) => inA && !inB);
}

function combine(a: FieldSet, b: FieldSet, keep: (inA: boolean, inB: boolean) => boolean): FieldSet {
  const steps = new Set([...a.below.keys(), ...b.below.keys()]);
  const below = [...steps].map(
    (step) => [step, combine(a.below.get(step) ?? EMPTY, b.below.get(step) ?? EMPTY, keep)] as const,
  );
  return setOf(keep(a.here, b.here), below);
}

export function sameSet(a: FieldSet, b: FieldSet): boolean {
  if (a.here !== b.here || a.below.size !== b.below.size) return false;
  return [...a.below].every(([step, set]) => sameSet(set, b.below.get(step) ?? EMPTY));
}

/** Every place that belongs to the set, as `.spec.steps[name="a"].run`. */
export function placesOf(set: FieldSet, path = ""): readonly string[] {
  const below = [...set.below].flatMap(([step, inner]) => placesOf(inner, `${path}${stepText(step)}`));
  return set.here ? [path, ...below] : below;
}

export function stepText(step: string): string {
  const name = fieldOf(step);
  if (name !== undefined) return `.${name}`;
  const value: unknown = JSON.parse(step.slice(2));
  if (step.startsWith("v:") || !isJsonObject(value)) return `[=${JSON.stringify(value)}]`;
  const keys = Object.entries(value).map(([key, each]) => `${key}=${JSON.stringify(each)}`);
  return `[${keys.join(",")}]`;
}

/** Throws TypeError for what is no FieldsV1. */
export function fromFieldsV1(fields: unknown): FieldSet {
  if (!isJsonObject(fields)) throw new TypeError("FieldsV1 must be an object");
  const steps = Object.entries(fields).filter(([step]) => step !== ".");
  const below = steps.map(([step, inner]) => [requireStep(step), fromFieldsV1(inner)] as const);
  return { here: steps.length === 0 || "." in fields, below: new Map(below) };
}

function requireStep(step: string): string {
  const [, kind, rest = ""] = /^([fkv]):(.*)$/s.exec(step) ?? [];
  if (kind === undefined) throw new TypeError(`${JSON.stringify(step)} is no step of FieldsV1`);
  return kind === "f" ? step : `${kind}:${stableStringify(JSON.parse(rest))}`;
}

/** The root is never a member itself: an empty set is written as `{}`. */
export function toFieldsV1({ below, here }: FieldSet, root = true): JsonObject {
  const steps = [...below].sort(([a], [b]) => (a < b ? -1 : 1));
  const members = steps.map(([step, set]) => [step, toFieldsV1(set, false)] as const);
  return Object.fromEntries(here && !root && members.length > 0 ? [[".", {}] as const, ...members] : members);
}
