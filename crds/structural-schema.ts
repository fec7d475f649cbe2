// The schema of a kind in the form that Kubernetes accepts in a CRD and serves as OpenAPI ("structural": every place has one
// type, nothing is closed by additionalProperties, no references). One walk feeds CRD YAML, OpenAPI and server-side apply.
import { z } from "zod";

/** OpenAPI 3.0 as far as a structural schema may use it, with Kubernetes' extensions. */
export interface StructuralSchema {
  readonly description?: string;
  readonly type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
  readonly format?: string;
  readonly nullable?: boolean;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly items?: StructuralSchema;
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly additionalProperties?: StructuralSchema;
  readonly required?: readonly string[];
  /** How lists merge; atomic when absent. */
  readonly "x-kubernetes-list-type"?: "atomic" | "map" | "set";
  /** The members that identify an item of a map list. */
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-preserve-unknown-fields"?: true;
  readonly "x-kubernetes-int-or-string"?: true;
}

type Node = Readonly<Record<string, unknown>>;

const KEPT = [
  "description",
  "type",
  "nullable",
  "enum",
  "default",
  "pattern",
  "minLength",
  "maxLength",
  "minimum",
  "maximum",
  "minItems",
  "maxItems",
  "maxProperties",
  "required",
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
];
/** What the walk below turns into something else, or what says nothing that a server of Kubernetes could check. */
const HANDLED = [
  "properties",
  "items",
  "additionalProperties",
  "anyOf",
  "oneOf",
  "format",
  "contentEncoding",
  "minimumDuration",
  "maximumDuration",
];

/** Throws TypeError for a schema that says more than a structural schema can. */
export function structuralSchema(schema: z.ZodType): StructuralSchema {
  const json: Node = { ...z.toJSONSchema(schema, { target: "openapi-3.0", io: "input", reused: "inline" }) };
  return structural(json);
}

function structural(node: Node): StructuralSchema {
  const unknown = Object.keys(node).find((key) => !KEPT.includes(key) && !HANDLED.includes(key));
  if (unknown !== undefined) throw new TypeError(`a structural schema has no ${unknown}`);
  const kept = Object.fromEntries(KEPT.filter((key) => says(node, key)).map((key) => [key, node[key]]));
  if (node.anyOf !== undefined || node.oneOf !== undefined) return { ...kept, ...eitherOf(node) };
  if (node.type === undefined) return { ...kept, "x-kubernetes-preserve-unknown-fields": true };
  return { ...kept, ...(node.type === "integer" ? { format: "int64" } : {}), ...childrenOf(node) };
}

/** Bounds that only say how far JavaScript counts say nothing. */
function says(node: Node, key: string): boolean {
  return node[key] !== undefined && Math.abs(Number(node[key])) !== Number.MAX_SAFE_INTEGER;
}

/** Alternatives have no place for their types: numbers or text have an extension of their own, all else is left open. */
function eitherOf(node: Node): StructuralSchema {
  const types = nodes(node.anyOf ?? node.oneOf).map(({ type }) => type);
  const intOrString = types.length === 2 && types.includes("integer") && types.includes("string");
  return intOrString ? { "x-kubernetes-int-or-string": true } : { "x-kubernetes-preserve-unknown-fields": true };
}

function childrenOf({ type, properties, items, additionalProperties }: Node): object {
  if (type === "array") return { items: structural(isNode(items) ? items : {}) };
  if (type !== "object") return {};
  if (isNode(properties)) {
    const entries = Object.entries(properties).map(([name, child]) => [name, structural(isNode(child) ? child : {})]);
    return { properties: Object.fromEntries(entries) };
  }
  if (isNode(additionalProperties)) return { additionalProperties: structural(additionalProperties) };
  return { "x-kubernetes-preserve-unknown-fields": true };
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function nodes(value: unknown): readonly Node[] {
  return Array.isArray(value) ? value.filter(isNode) : [];
}
