// A walk over every field of every kind that has a spec, with the values that break programs.
import { expect, test } from "vitest";
import { z } from "zod";
import { knownKeys } from "../../controller/admission/known-keys.ts";
import { KINDS } from "../../crds/kinds.ts";
import type { KindDef } from "../../crds/resource.ts";
import { type Walk, walkApi } from "./spec-walk-api.ts";
import { fieldsOf, hasSpec } from "./spec-walk-fields.ts";
import { subjectsOf, walkPaths } from "./spec-walk-paths.ts";
import { walkRefused } from "./spec-walk-refused.ts";

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
let walked: Promise<Walk> | undefined;
const walk = () => {
  walked ??= walkApi(kinds);
  return walked;
};

test("whatever a field is given, the API keeps it as it is, or says which field is wrong and changes nothing", {
  timeout: PATIENCE_MS,
}, async () => {
  const { fields, cases, accepted, problems } = await walk();
  expect(problems).toEqual([]);
  console.log(`${fields} fields of ${kinds.length} kinds, ${cases} values, ${accepted.length} of them accepted`);
  for (const kind of kinds) {
    const names = fieldsOf(kind).map((field) => field.name);
    expect(names).toEqual(expect.arrayContaining([...membersOf(kind)]));
  }
});

/** `npm run sim -- --spec-walk` takes all of them. */
const SUBJECTS_PER_FIELD = 1;

test("every way to a spec ends in what a new object of it comes to, and that is what it says", {
  timeout: PATIENCE_MS,
}, async () => {
  const subjects = subjectsOf(await walk(), SUBJECTS_PER_FIELD);
  expect(subjects.length).toBeGreaterThan(40);
  expect(await walkPaths(subjects)).toEqual([]);
});

test.each([
  { field: "image", wrong: { image: "no-such-image:1" }, right: { image: "debian:12" } },
  { field: "region", wrong: { region: "zzz" }, right: { region: "iad" } },
])("$field that Fly does not know is said so at create, and healed by putting it right", async (refused) => {
  expect(await walkRefused("create", refused)).toEqual([]);
});

test("an update that Fly refuses is said so, leaves the machine serving, and is healed by putting it right", async () => {
  const refused = { field: "image", wrong: { image: "no-such-image:1" }, right: { image: "debian:12" } };
  expect(await walkRefused("edit", refused)).toEqual([]);
});
