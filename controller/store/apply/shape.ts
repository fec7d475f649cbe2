// How a value is taken apart, by its schema: which parts have an owner of their own, and which are one.
import type { StructuralSchema } from "../../../crds/structural-schema.ts";
import { isJsonObject, type Json, type JsonObject } from "../../kernel/json.ts";
import { fieldStep, keyStep, stepText, valueStep } from "./field-set.ts";

export interface Part {
  readonly value: Json;
  readonly schema: StructuralSchema;
}

/** The parts of a value by step, in its order; `whole` when it is one: a scalar, an atomic list, or nothing of its type. */
export type Shape =
  | { readonly kind: "whole" }
  | { readonly kind: "object"; readonly parts: ReadonlyMap<string, Part> }
  | { readonly kind: "list"; readonly parts: ReadonlyMap<string, Part> };

/** A list that does not fit its type: an item lacks its key, or two items have the same one. */
export class ListError extends Error {
  override readonly name = "ListError";
  /** Of the list, such as `.spec.steps`. */
  readonly path: string;
  readonly detail: string;
  constructor(path: string, detail: string) {
    super(`${path}: ${detail}`);
    this.path = path;
    this.detail = detail;
  }
}

const WHOLE: Shape = { kind: "whole" };
/** Where a schema says nothing, objects are taken apart and lists are not. */
const OPEN: StructuralSchema = {};

/** `path` is for the ListError. */
export function shapeOf(value: Json | undefined, schema: StructuralSchema, path = ""): Shape {
  if (isJsonObject(value)) return { kind: "object", parts: membersOf(value, schema) };
  if (!Array.isArray(value)) return WHOLE;
  const type = schema["x-kubernetes-list-type"] ?? "atomic";
  if (type === "atomic") return WHOLE;
  return { kind: "list", parts: type === "set" ? valuesOf(value, schema, path) : itemsOf(value, schema, path) };
}

/** The same for what is stored, which may hold a list that its type does not allow: it is then one. */
export function lenientShapeOf(value: Json | undefined, schema: StructuralSchema): Shape {
  try {
    return shapeOf(value, schema);
  } catch (error) {
    if (error instanceof ListError) return WHOLE;
    throw error;
  }
}

/** The value that `parts` make together. */
export function assemble(kind: "object" | "list", parts: Iterable<readonly [string, Json]>): Json {
  const entries = [...parts];
  return kind === "list"
    ? entries.map(([, value]) => value)
    : Object.fromEntries(entries.map(([step, value]) => [step.slice("f:".length), value]));
}

/** Members that are null are not set. */
function membersOf(value: JsonObject, { properties, additionalProperties }: StructuralSchema): Map<string, Part> {
  const parts = new Map<string, Part>();
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined || member === null) continue;
    const own = properties && Object.hasOwn(properties, name) ? properties[name] : undefined;
    parts.set(fieldStep(name), { value: member, schema: own ?? additionalProperties ?? OPEN });
  }
  return parts;
}

function valuesOf(value: readonly Json[], { items = OPEN }: StructuralSchema, path: string): Map<string, Part> {
  const parts = new Map<string, Part>();
  for (const item of value) add(parts, valueStep(item), { value: item, schema: items }, path);
  return parts;
}

function itemsOf(value: readonly Json[], schema: StructuralSchema, path: string): Map<string, Part> {
  const names = schema["x-kubernetes-list-map-keys"] ?? [];
  const items = schema.items ?? OPEN;
  const parts = new Map<string, Part>();
  for (const [index, item] of value.entries()) {
    const keys = names.map((name) => [name, keyValue(item, name, items)] as const);
    const missing = keys.find(([, key]) => key === undefined);
    if (missing) throw new ListError(path, `element ${index}: an item of this list must have ${missing[0]}, its key`);
    add(parts, keyStep(Object.fromEntries(keys)), { value: item, schema: items }, path);
  }
  return parts;
}

function keyValue(item: Json, name: string, { properties }: StructuralSchema): Json | undefined {
  if (!isJsonObject(item)) return undefined;
  return item[name] ?? (properties?.[name]?.default as Json | undefined); // a default is JSON by its place in a schema
}

function add(parts: Map<string, Part>, step: string, part: Part, path: string): void {
  if (parts.has(step)) throw new ListError(path, `duplicate entries for key ${stepText(step)}`);
  parts.set(step, part);
}
