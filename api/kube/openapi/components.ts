// The schemas that the operations speak of: each kind, its list, and what Kubernetes itself adds to every kind.
import { isRequired, memberSchemas } from "../../../crds/definition.ts";
import { type KindDef, objectMeta } from "../../../crds/resource.ts";
import { type StructuralSchema, structuralSchema } from "../../../crds/structural-schema.ts";

export type Schema = StructuralSchema | Readonly<Record<string, unknown>>;

const META = "io.k8s.apimachinery.pkg.apis.meta.v1";
const META_GVK = { group: "", version: "v1" };

/** How Kubernetes names a schema: the group backwards, `io.k8s.api.core` for the group without a name. */
export function schemaName(kind: KindDef, suffix = ""): string {
  const group = kind.group === "" ? "io.k8s.api.core" : kind.group.split(".").reverse().join(".");
  return `${group}.${kind.version}.${kind.kind}${suffix}`;
}

export function reference(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

export function metaReference(name: "Status" | "DeleteOptions" | "Patch"): Schema {
  return reference(`${META}.${name}`);
}

export function components(kinds: readonly KindDef[]): Readonly<Record<string, Schema>> {
  const own = kinds.flatMap((kind) => [
    [schemaName(kind), objectOf(kind)],
    [schemaName(kind, "List"), listOf(kind)],
  ]);
  return { ...Object.fromEntries(own), ...META_SCHEMAS };
}

export function groupVersionKind({ group, version, kind }: KindDef): object {
  return { group, version, kind };
}

const API_VERSION: Schema = { type: "string", description: "Group and version of the kind." };
const KIND: Schema = { type: "string", description: "The kind of the object." };

/** A reference beside a description: OpenAPI 3.0 wants it wrapped. */
function described(description: string, ref: Schema): Schema {
  return { description, allOf: [ref], default: {} };
}

function objectOf(kind: KindDef): Schema {
  const required = Object.keys(kind.fields).filter((name) => isRequired(kind, name));
  return {
    description: kind.description,
    type: "object",
    ...(required.length > 0 ? { required } : {}),
    properties: {
      apiVersion: API_VERSION,
      kind: KIND,
      metadata: described("Name, labels, owners, and what the server keeps.", reference(`${META}.ObjectMeta`)),
      ...memberSchemas(kind),
    },
    "x-kubernetes-group-version-kind": [groupVersionKind(kind)],
  };
}

function listOf(kind: KindDef): Schema {
  return {
    description: `A list of ${kind.plural}.`,
    type: "object",
    required: ["items"],
    properties: {
      apiVersion: API_VERSION,
      kind: KIND,
      metadata: described("The revision of the list, and how it goes on.", reference(`${META}.ListMeta`)),
      items: { type: "array", description: `The ${kind.plural}.`, items: reference(schemaName(kind)) },
    },
    "x-kubernetes-group-version-kind": [{ ...groupVersionKind(kind), kind: `${kind.kind}List` }],
  };
}

const text = (description: string): Schema => ({ type: "string", description });

const META_SCHEMAS: Readonly<Record<string, Schema>> = {
  [`${META}.ObjectMeta`]: structuralSchema(objectMeta),
  [`${META}.ListMeta`]: {
    description: "What a list says of itself.",
    type: "object",
    properties: {
      resourceVersion: text("The revision at which the list is true; a watch goes on from here."),
      continue: text("Asks for the next page, at the same revision."),
      remainingItemCount: { type: "integer", format: "int64", description: "Items on the pages to come." },
    },
  },
  [`${META}.Patch`]: { description: "A JSON patch, a merge patch, or an applied configuration.", type: "object" },
  [`${META}.DeleteOptions`]: {
    description: "How to delete.",
    type: "object",
    properties: {
      apiVersion: API_VERSION,
      kind: KIND,
      dryRun: { type: "array", items: { type: "string" }, description: '["All"]: only say what would happen.' },
      gracePeriodSeconds: { type: "integer", format: "int64", description: "Without meaning here." },
      propagationPolicy: text("What becomes of the dependents: Background, Foreground or Orphan."),
      preconditions: {
        type: "object",
        description: "What must be true of the object, or it stays.",
        properties: { uid: text("The uid it must have."), resourceVersion: text("The revision it must have.") },
      },
    },
    "x-kubernetes-group-version-kind": [{ ...META_GVK, kind: "DeleteOptions" }],
  },
  [`${META}.Status`]: {
    description: "The answer where there is no object to give.",
    type: "object",
    properties: {
      apiVersion: API_VERSION,
      kind: KIND,
      status: text("Success or Failure."),
      message: text("For people."),
      reason: text("Why, as one word for programs."),
      code: { type: "integer", format: "int32", description: "The HTTP status." },
      details: { type: "object", description: "The object meant, and each cause with its field." },
    },
    "x-kubernetes-group-version-kind": [{ ...META_GVK, kind: "Status" }],
  },
};
