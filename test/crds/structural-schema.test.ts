import { describe, expect, it } from "vitest";
import { z } from "zod";
import { memberSchemas } from "../../crds/definition.ts";
import { KINDS } from "../../crds/kinds.ts";
import { mapList } from "../../crds/resource.ts";
import { type StructuralSchema, structuralSchema } from "../../crds/structural-schema.ts";

/** What Kubernetes' documentation of structural schemas wants at every place, as far as these schemas could break it. */
function faults(schema: StructuralSchema, path: string): readonly string[] {
  const open = schema["x-kubernetes-preserve-unknown-fields"] === true;
  const either = schema["x-kubernetes-int-or-string"] === true;
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  const own = [
    schema.type === undefined && !open && !either ? `${path}: no type` : "",
    schema.properties && schema.additionalProperties ? `${path}: properties beside additionalProperties` : "",
    (schema.type === "array") !== (schema.items !== undefined) ? `${path}: items and array do not go together` : "",
    Object.hasOwn(schema, "$ref") ? `${path}: a reference` : "",
    ...keys
      .filter((key) => !schema.items?.required?.includes(key) && schema.items?.properties?.[key]?.default === undefined)
      .map((key) => `${path}: the key ${key} is neither required nor has a default`),
    ...(schema.required ?? []).filter((key) => !schema.properties?.[key]).map((key) => `${path}: requires ${key}`),
  ].filter((fault) => fault !== "");
  return [
    ...own,
    ...Object.entries(schema.properties ?? {}).flatMap(([key, child]) => faults(child, `${path}.${key}`)),
    ...(schema.items ? faults(schema.items, `${path}[]`) : []),
    ...(schema.additionalProperties ? faults(schema.additionalProperties, `${path}{}`) : []),
  ];
}

function undescribed(schema: StructuralSchema, path: string): readonly string[] {
  return [
    ...(schema.description ? [] : [path]),
    ...Object.entries(schema.properties ?? {}).flatMap(([key, child]) => undescribed(child, `${path}.${key}`)),
    ...Object.entries(schema.items?.properties ?? {}).flatMap(([key, child]) => undescribed(child, `${path}[].${key}`)),
    ...Object.entries(schema.additionalProperties?.properties ?? {}).flatMap(([key, child]) =>
      undescribed(child, `${path}{}.${key}`),
    ),
  ];
}

describe("the structural schema of", () => {
  for (const kind of KINDS) {
    it(`${kind.kind} keeps Kubernetes' rules`, () => {
      const found = Object.entries(memberSchemas(kind)).flatMap(([name, schema]) => faults(schema, name));
      expect(found).toEqual([]);
    });

    it(`${kind.kind} says of every field what it is`, () => {
      const found = Object.entries(memberSchemas(kind)).flatMap(([name, schema]) => undescribed(schema, name));
      expect(found.filter((path) => !path.startsWith("status.definition.spec"))).toEqual([]);
    });
  }

  it("a list with keys says how it merges, through optional and describe", () => {
    const list = mapList(z.array(z.strictObject({ name: z.string() })), "name")
      .optional()
      .describe("Ports.");
    expect(structuralSchema(list)).toEqual({
      description: "Ports.",
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
      items: { type: "object", required: ["name"], properties: { name: { type: "string" } } },
    });
  });

  it("numbers has the bounds that were set, and not those of JavaScript", () => {
    expect(structuralSchema(z.int().min(1))).toEqual({ type: "integer", format: "int64", minimum: 1 });
  });

  it("alternatives is open, or a number or text", () => {
    expect(structuralSchema(z.union([z.int(), z.string()]))).toEqual({ "x-kubernetes-int-or-string": true });
    expect(structuralSchema(z.union([z.strictObject({}), z.string()]))).toEqual({
      "x-kubernetes-preserve-unknown-fields": true,
    });
    expect(structuralSchema(z.unknown())).toEqual({ "x-kubernetes-preserve-unknown-fields": true });
  });

  it("a schema that says more than that is an error, not a loss", () => {
    expect(() => structuralSchema(z.int().multipleOf(3))).toThrow("a structural schema has no multipleOf");
  });
});
