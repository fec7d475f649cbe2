// A kind as a CustomResourceDefinition: what a cluster of Kubernetes needs to know to hold such objects itself.
import { apiVersionOf, type KindDef, qualifiedResource } from "./resource.ts";
import { type StructuralSchema, structuralSchema } from "./structural-schema.ts";

type Node = Readonly<Record<string, unknown>>;

export function customResourceDefinition(kind: KindDef): Node {
  const { plural, singular, shortNames, categories } = kind;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: qualifiedResource(kind) },
    spec: {
      group: kind.group,
      names: { kind: kind.kind, listKind: `${kind.kind}List`, plural, singular, shortNames, categories },
      scope: kind.scope,
      versions: [
        {
          name: kind.version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: objectSchema(kind) },
          ...(kind.fields.status ? { subresources: { status: {} } } : {}),
          additionalPrinterColumns: kind.columns,
        },
      ],
    },
  };
}

function objectSchema(kind: KindDef): Node {
  const members = Object.entries(memberSchemas(kind)).map(([name, schema]) => [
    name,
    withImmutable(kind, schema, name),
  ]);
  const required = Object.keys(kind.fields).filter((name) => isRequired(kind, name));
  return {
    description: kind.description,
    type: "object",
    ...(required.length > 0 ? { required } : {}),
    properties: {
      apiVersion: { type: "string", description: `Always ${apiVersionOf(kind)}.` },
      kind: { type: "string", description: `Always ${kind.kind}.` },
      metadata: { type: "object" },
      ...Object.fromEntries(members),
    },
  };
}

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  spec: "What is wished for. Yours: no controller changes it.",
  status: "What is true now. The controllers'.",
};

/** The members of an object beside apiVersion, kind and metadata. */
export function memberSchemas(kind: KindDef): Readonly<Record<string, StructuralSchema>> {
  const described = Object.entries(kind.fields).map(([name, field]) => {
    const description = DESCRIPTIONS[name];
    return [name, { ...(description ? { description } : {}), ...structuralSchema(field) }];
  });
  return Object.fromEntries(described);
}

/** Whether a member of the object must be given; status never must. */
export function isRequired(kind: KindDef, name: string): boolean {
  return name !== "status" && kind.fields[name]?.safeParse(undefined).success === false;
}

/** What may not change says so itself, as a rule on the old value and the new one. */
function withImmutable(kind: KindDef, schema: StructuralSchema, path: string): Node {
  const rule = kind.immutable.find((each) => each.path === path);
  const children = Object.entries(schema.properties ?? {}).map(([name, child]) => [
    name,
    withImmutable(kind, child, `${path}.${name}`),
  ]);
  return {
    ...schema,
    ...(schema.properties ? { properties: Object.fromEntries(children) } : {}),
    ...(rule
      ? { "x-kubernetes-validations": [{ rule: "self == oldSelf", message: `cannot change: ${rule.reason}` }] }
      : {}),
  };
}
