// A walk over every field of every kind that has a spec, with the values that break programs.
import { expect, test } from "vitest";
import { z } from "zod";
import { knownKeys } from "../../controller/admission/known-keys.ts";
import { KINDS } from "../../crds/kinds.ts";
import type { KindDef } from "../../crds/resource.ts";
import { walkApi } from "./spec-walk-api.ts";
import { fieldsOf, hasSpec } from "./spec-walk-fields.ts";

/** Every member that zod itself knows of, found through its classes and not through their JSON Schema. */
function membersOf(kind: KindDef): readonly string[] {
  const { spec = z.never() } = kind.fields;
  return fieldsOf(kind).flatMap(({ name, path, node }) => {
    if (node.type !== "object") return [];
    const place = path.map((step) => (typeof step === "string" ? step : 0));
    return knownKeys(spec, place).map((key) => `${name}.${key}`);
  });
}

const PATIENCE_MS = 240_000;
const kinds = KINDS.filter(hasSpec);

test("whatever a field is given, the API keeps it as it is, or says which field is wrong and changes nothing", {
  timeout: PATIENCE_MS,
}, async () => {
  const { fields, cases, accepted, problems } = await walkApi(kinds);
  expect(problems).toEqual([]);
  console.log(`${fields} fields of ${kinds.length} kinds, ${cases} values, ${accepted.length} of them accepted`);
  for (const kind of kinds) {
    const names = fieldsOf(kind).map((field) => field.name);
    expect(names).toEqual(expect.arrayContaining([...membersOf(kind)]));
  }
});
