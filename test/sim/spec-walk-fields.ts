// Every field of a kind's spec, found by walking the JSON Schema that zod makes of it: a field that is added tomorrow is
// walked tomorrow. A node that the walk does not understand is an error, never passed over.
import { z } from "zod";
import { isJsonObject } from "../../controller/kernel/json.ts";
import type { KindDef } from "../../crds/resource.ts";

/** A step of a path: a member's name, the first item of a list, an entry of a map, or the key of that entry. */
export type Step = string | { readonly into: "item" | "entry" | "key" };

export interface Field {
  /** `spec.files[].mode`, `spec.env{}`, `spec.env{key}`. */
  readonly name: string;
  readonly path: readonly Step[];
  readonly node: SchemaNode;
  /** May be left out. */
  readonly optional: boolean;
}

/** The part of JSON Schema that our kinds use. */
export type SchemaNode = ObjectNode | ListNode | TextNode | IntegerNode | Described<"boolean">;

interface Described<T extends string> {
  readonly type: T;
  readonly description?: string | undefined;
  readonly default?: unknown;
  /** null is a value of its own, beside absence. */
  readonly nullable?: boolean | undefined;
}
export interface ObjectNode extends Described<"object"> {
  readonly properties?: Readonly<Record<string, SchemaNode>> | undefined;
  readonly required?: readonly string[] | undefined;
  readonly additionalProperties?: false | SchemaNode | undefined;
  readonly propertyNames?: SchemaNode | undefined;
  readonly maxProperties?: number | undefined;
}
export interface ListNode extends Described<"array"> {
  readonly items: SchemaNode;
  readonly minItems?: number | undefined;
  readonly maxItems?: number | undefined;
}
export interface TextNode extends Described<"string"> {
  readonly minLength?: number | undefined;
  readonly maxLength?: number | undefined;
  readonly pattern?: string | undefined;
  readonly enum?: readonly string[] | undefined;
  readonly format?: "base64" | "date-time" | "duration" | undefined;
  readonly minimumDuration?: string | undefined;
  readonly maximumDuration?: string | undefined;
}
export interface IntegerNode extends Described<"integer"> {
  readonly minimum: number;
  readonly maximum: number;
}

const described = {
  description: z.string().optional(),
  default: z.unknown().optional(),
  nullable: z.boolean().optional(),
};
const inner: z.ZodType<SchemaNode> = z.lazy(() => schemaNode);
const schemaNode: z.ZodType<SchemaNode> = z.discriminatedUnion("type", [
  z.strictObject({
    ...described,
    type: z.literal("object"),
    properties: z.record(z.string(), inner).optional(),
    required: z.array(z.string()).optional(),
    additionalProperties: z.union([z.literal(false), inner]).optional(),
    propertyNames: inner.optional(),
    maxProperties: z.int().optional(),
  }),
  z.strictObject({
    ...described,
    type: z.literal("array"),
    items: inner,
    minItems: z.int().optional(),
    maxItems: z.int().optional(),
    "x-kubernetes-list-type": z.enum(["atomic", "map", "set"]).optional(),
    "x-kubernetes-list-map-keys": z.array(z.string()).optional(),
  }),
  z.strictObject({
    ...described,
    type: z.literal("string"),
    minLength: z.int().optional(),
    maxLength: z.int().optional(),
    pattern: z.string().optional(),
    enum: z.array(z.string()).optional(),
    format: z.enum(["base64", "date-time", "duration"]).optional(),
    contentEncoding: z.string().optional(),
    minimumDuration: z.string().optional(),
    maximumDuration: z.string().optional(),
  }),
  z.strictObject({ ...described, type: z.literal("integer"), minimum: z.number(), maximum: z.number() }),
  z.strictObject({ ...described, type: z.literal("boolean") }),
]);

/** Kinds that people write a spec for. */
export function hasSpec(kind: KindDef): boolean {
  return kind.fields.spec !== undefined;
}

export function specNode(kind: KindDef): SchemaNode {
  const { spec } = kind.fields;
  if (!spec) throw new TypeError(`${kind.kind} has no spec`);
  const { $schema: _, ...json } = z.toJSONSchema(spec, { io: "input" });
  const parsed = inner.safeParse(JSON.parse(JSON.stringify(json), (_key, value) => withoutNull(value)));
  if (parsed.success) return parsed.data;
  throw new TypeError(`the walk does not know this of ${kind.kind}:\n${z.prettifyError(parsed.error)}`);
}

/** What may also be null is said as a choice of two. */
function withoutNull(value: unknown): unknown {
  if (!isJsonObject(value) || !Array.isArray(value.anyOf)) return value;
  const { anyOf, ...rest } = value;
  const [node, none, ...more] = anyOf;
  const nullable = isJsonObject(node) && isJsonObject(none) && none.type === "null" && more.length === 0;
  return nullable ? { ...node, ...rest, nullable } : value;
}

export function fieldsOf(kind: KindDef): readonly Field[] {
  const node = specNode(kind);
  return [...below({ name: "spec", path: [], node, optional: false })].slice(1);
}

function* below(field: Field): Generator<Field> {
  yield field;
  const { name, path, node } = field;
  const child = (suffix: string, step: Step, inner: SchemaNode, optional: boolean) =>
    below({ name: `${name}${suffix}`, path: [...path, step], node: inner, optional });
  if (node.type === "array") yield* child("[]", { into: "item" }, node.items, false);
  if (node.type !== "object") return;
  for (const [key, inner] of Object.entries(node.properties ?? {})) {
    yield* child(`.${key}`, key, inner, !node.required?.includes(key));
  }
  if (node.additionalProperties) yield* child("{}", { into: "entry" }, node.additionalProperties, true);
  if (node.propertyNames) yield* child("{key}", { into: "key" }, node.propertyNames, false);
}
