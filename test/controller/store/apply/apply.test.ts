// Server-side apply against what a real API server answered, and the laws that it has to keep.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../../../controller/kernel/json.ts";
import { type Apply, ApplyConflictError, apply, ownersAfter } from "../../../../controller/store/apply/apply.ts";
import { fromFieldsV1, placesOf, sameSet, toFieldsV1 } from "../../../../controller/store/apply/field-set.ts";
import {
  formatManagedFields,
  type Owner,
  parseManagedFields,
  type Writer,
} from "../../../../controller/store/apply/managed-fields.ts";
import { ListError } from "../../../../controller/store/apply/shape.ts";
import { memberSchemas } from "../../../../crds/definition.ts";
import { objectMeta } from "../../../../crds/resource.ts";
import { type StructuralSchema, structuralSchema } from "../../../../crds/structural-schema.ts";
import { workflowKind } from "../../../../crds/workflow.ts";

const VERSION = "fly.lightfast.ai/v1";
const TIME = "2026-11-23T19:24:38Z";
const LATER = "2026-11-23T20:00:00Z";
const schemaOf = (members: Readonly<Record<string, StructuralSchema>>): StructuralSchema => ({
  type: "object",
  properties: { metadata: structuralSchema(objectMeta), ...members },
});
const SAMPLE = schemaOf({
  spec: {
    type: "object",
    properties: { image: { type: "string" }, region: { type: "string" }, guest: { type: "object", properties: {} } },
  },
});
const WORKFLOW = schemaOf(memberSchemas(workflowKind));

const by = (manager: string, operation: Writer["operation"] = "Apply"): Writer => ({
  manager,
  operation,
  apiVersion: VERSION,
});
const named = (spec: JsonObject): JsonObject => ({ metadata: { name: "ssa" }, spec });
const managed = (owners: readonly Owner[]) =>
  formatManagedFields(owners).map(({ manager, operation, fieldsV1 }) => ({ manager, operation, fieldsV1 }));

function applied(manager: string, wanted: JsonObject, onto: Partial<Apply> = {}) {
  return apply({
    live: {},
    owners: [],
    schema: SAMPLE,
    time: TIME,
    force: false,
    ...onto,
    wanted,
    writer: by(manager),
  });
}

describe("as kube-apiserver 1.32 answered", () => {
  const alice = applied("alice", named({ image: "u", region: "iad", guest: { cpuKind: "shared", cpus: 1 } }));
  const live = { live: alice.object, owners: alice.owners };
  const guest = { "f:cpuKind": {}, "f:cpus": {} };

  test("a new object: the applier manages every leaf, and nothing of metadata that is the server's", () => {
    expect(formatManagedFields(alice.owners)).toEqual([
      {
        manager: "alice",
        operation: "Apply",
        apiVersion: VERSION,
        time: TIME,
        fieldsType: "FieldsV1",
        fieldsV1: { "f:spec": { "f:guest": guest, "f:image": {}, "f:region": {} } },
      },
    ]);
  });

  test("another value is a conflict that names manager and field; the same value is managed by both", () => {
    const refused = () => applied("bob", named({ image: "u", region: "ord" }), live);
    expect(refused).toThrow('Apply failed with 1 conflict: conflict with "alice": .spec.region');
  });

  test("by force the field changes hands, and a plain patch takes it from whoever has it", () => {
    const bob = applied("bob", named({ image: "u", region: "ord" }), { ...live, force: true });
    expect(bob.object.spec).toEqual({ image: "u", region: "ord", guest: { cpuKind: "shared", cpus: 1 } });
    const shared = {
      manager: "alice",
      operation: "Apply",
      fieldsV1: { "f:spec": { "f:guest": guest, "f:image": {} } },
    };
    expect(managed(bob.owners)).toEqual([
      shared,
      { manager: "bob", operation: "Apply", fieldsV1: { "f:spec": { "f:image": {}, "f:region": {} } } },
    ]);
    const after = named({ image: "u", region: "lhr", guest: { cpuKind: "shared", cpus: 1 } });
    const carol = { before: bob.object, after, owners: bob.owners, schema: SAMPLE, time: TIME };
    expect(managed(ownersAfter({ ...carol, writer: by("carol", "Update") }))).toEqual([
      shared,
      { manager: "bob", operation: "Apply", fieldsV1: { "f:spec": { "f:image": {} } } },
      { manager: "carol", operation: "Update", fieldsV1: { "f:spec": { "f:region": {} } } },
    ]);
  });

  test("a plain create manages what it brings, parents included, and finalizers one by one", () => {
    const after = {
      metadata: { name: "fin", labels: { team: "a" }, finalizers: ["example.com/f"] },
      spec: { image: "u", guest: { cpus: 1 } },
    };
    const owners = ownersAfter({
      before: { metadata: {} },
      after,
      owners: [],
      schema: SAMPLE,
      writer: by("unknown", "Update"),
      time: TIME,
    });
    expect(managed(owners)[0]?.fieldsV1).toEqual({
      "f:metadata": {
        "f:finalizers": { ".": {}, 'v:"example.com/f"': {} },
        "f:labels": { ".": {}, "f:team": {} },
      },
      "f:spec": { ".": {}, "f:guest": { ".": {}, "f:cpus": {} }, "f:image": {} },
    });
  });
});

describe("lists of a workflow", () => {
  const step = (name: string, changes: JsonObject = {}) => ({ name, run: `echo ${name}`, ...changes });
  const steps = (...items: JsonObject[]) => named({ steps: items });
  const alice = applied("alice", steps(step("a"), step("b")), { schema: WORKFLOW });
  const live = { live: alice.object, owners: alice.owners, schema: WORKFLOW };

  test("are merged item by item, and each item has its owner", () => {
    const bob = applied("bob", steps(step("c")), live);
    expect(bob.object.spec).toEqual({ steps: [step("a"), step("b"), step("c")] });
    expect(managed(bob.owners)[1]?.fieldsV1).toEqual({
      "f:spec": { "f:steps": { 'k:{"name":"c"}': { ".": {}, "f:name": {}, "f:run": {} } } },
    });
  });

  test("lose the items that their only owner no longer applies, with all that was filled in there", () => {
    const filled = steps(step("a", { timeout: "1h" }), step("b", { timeout: "1h" }));
    const again = applied("alice", steps(step("b")), { ...live, live: filled });
    expect(again.object.spec).toEqual({ steps: [step("b", { timeout: "1h" })] });
  });

  test("keep what another one manages of an item that is given up", () => {
    const bob = applied("bob", steps({ name: "a", timeout: "5m" }), live);
    const without = applied("alice", steps(step("b")), { ...live, live: bob.object, owners: bob.owners });
    expect(without.object.spec).toEqual({ steps: [{ name: "a", timeout: "5m" }, step("b")] });
  });

  test("name the item in a conflict, and every manager when there are more", () => {
    const carol = ownersAfter({
      before: alice.object,
      after: steps(step("a"), step("b", { run: "true" })),
      owners: alice.owners,
      schema: WORKFLOW,
      writer: by("carol", "Update"),
      time: TIME,
    });
    const changed = { ...live, live: steps(step("a"), step("b", { run: "true" })), owners: carol };
    const refused = () => applied("bob", steps(step("a", { run: "x" }), step("b", { run: "x" })), changed);
    expect(refused).toThrow(
      [
        'Apply failed with 2 conflicts: conflicts with "alice":',
        '- .spec.steps[name="a"].run',
        `conflicts with "carol" using ${VERSION} at ${TIME}:`,
        '- .spec.steps[name="b"].run',
      ].join("\n"),
    );
    expect(refused).toThrow(ApplyConflictError);
  });

  test("that are no lists of their type are refused, with their path", () => {
    expect(() => applied("bob", steps(step("a"), step("a")), live)).toThrow(ListError);
    expect(() => applied("bob", steps(step("a"), step("a")), live)).toThrow(
      '.spec.steps: duplicate entries for key [name="a"]',
    );
    expect(() => applied("bob", steps({ run: "x" }), live)).toThrow(".spec.steps: element 0: an item of this list");
  });

  test("that are atomic belong to one manager whole", () => {
    const depends = (...names: string[]) => steps(step("a", { dependsOn: names }));
    const first = applied("alice", depends("x"), { schema: WORKFLOW });
    const other = { live: first.object, owners: first.owners, schema: WORKFLOW };
    expect(() => applied("bob", depends("x", "y"), other)).toThrow('.spec.steps[name="a"].dependsOn');
  });
});

test("what nothing is left of is taken out whole, and a field that is null is one that is not applied", () => {
  const first = applied("alice", named({ image: "u", guest: { cpus: 1 } }));
  const second = applied("alice", named({ image: "u", region: null }), { live: first.object, owners: first.owners });
  expect(second.object.spec).toEqual({ image: "u" });
});

test("the time of an entry moves only with its fields", () => {
  const first = applied("alice", named({ image: "u" }));
  const again = applied("alice", named({ image: "u" }), { live: first.object, owners: first.owners, time: LATER });
  expect(again).toEqual(first);
  const more = applied("alice", named({ image: "u", region: "iad" }), { ...again, live: again.object, time: LATER });
  expect(more.owners[0]?.time).toBe(LATER);
});

test("of writers by Update the ten newest are kept apart", () => {
  const live = Array.from({ length: 12 }, (_, index) => index).reduce(
    ({ before, owners }, index) => {
      const after = named({ guest: { ...(before.spec as { guest: JsonObject }).guest, [`f${index}`]: index } });
      const time = `2026-11-23T19:24:${10 + index}Z`;
      const writer = by(`m${index}`, "Update");
      return { before: after, owners: ownersAfter({ before, after, owners, schema: SAMPLE, writer, time }) };
    },
    { before: named({ guest: {} }), owners: [] as readonly Owner[] },
  );
  expect(live.owners.map((owner) => owner.manager)).toEqual(expect.arrayContaining(["ancient-changes", "m11", "m3"]));
  expect(live.owners).toHaveLength(10);
  const ancient = live.owners.find((owner) => owner.manager === "ancient-changes");
  expect(placesOf(ancient?.fields ?? { here: false, below: new Map() })).toEqual(
    ["f0", "f1", "f2"].map((name) => `.spec.guest.${name}`),
  );
});

test.each([
  { reason: "no list", entries: {} },
  { reason: "another form of fields", entries: [{ operation: "Apply", fieldsType: "FieldsV2", fieldsV1: {} }] },
  { reason: "a step of no kind", entries: [{ operation: "Apply", fieldsType: "FieldsV1", fieldsV1: { x: {} } }] },
])("managedFields that cannot be read are an error: $reason", ({ entries }) => {
  expect(() => parseManagedFields(entries)).toThrow(TypeError);
});

describe("laws", () => {
  const scalar = fc.constantFrom("x", "y", "z");
  const item = fc.record({ run: scalar, timeout: scalar }, { requiredKeys: ["run"] });
  /** Maps of any keys, items by name, values of a set, an atomic list, a scalar. */
  const wanted = fc
    .record(
      {
        labels: fc.dictionary(fc.constantFrom("a", "b", "c"), scalar),
        finalizers: fc.uniqueArray(fc.constantFrom("example.com/a", "example.com/b")),
        steps: fc.dictionary(fc.constantFrom("s", "t", "u"), item),
        description: scalar,
        depends: fc.array(scalar, { maxLength: 2 }),
      },
      { requiredKeys: [] },
    )
    .map(({ labels, finalizers, steps, description, depends }): JsonObject => {
      const list = Object.entries(steps ?? {}).map(([name, each]) => ({
        name,
        ...each,
        ...(depends && { dependsOn: depends }),
      }));
      return {
        metadata: { name: "it", ...(labels && { labels }), ...(finalizers && { finalizers }) },
        spec: { ...(steps && { steps: list }), ...(description && { description }) },
      };
    });
  const nobody = { live: { metadata: { name: "it" } }, owners: [] as readonly Owner[], schema: WORKFLOW };
  const place = ({ object, owners }: { object: JsonObject; owners: readonly Owner[] }) => ({
    live: object,
    owners,
    schema: WORKFLOW,
  });

  test("to apply the same again changes nothing", () => {
    fc.assert(
      fc.property(wanted, wanted, (mine, theirs) => {
        const other = applied("bob", theirs, nobody);
        const once = applied("alice", mine, { ...place(other), force: true });
        expect(applied("alice", mine, { ...place(once), time: LATER })).toEqual(once);
      }),
    );
  });

  test("what is applied is there afterwards, and managed by whoever applied it", () => {
    fc.assert(
      fc.property(wanted, wanted, (mine, theirs) => {
        const { object, owners } = applied("alice", mine, { ...place(applied("bob", theirs, nobody)), force: true });
        const fresh = applied("alice", mine, nobody);
        const fields = (all: readonly Owner[]) => all.find((each) => each.manager === "alice")?.fields;
        expect(applied("alice", mine, place({ object, owners })).object).toEqual(object);
        expect(fields(owners)).toEqual(fields(fresh.owners));
      }),
    );
  });

  test("by force exactly the fields in conflict change hands", () => {
    const placesFor = (owners: readonly Owner[], manager: string) =>
      owners.filter((each) => each.manager === manager).flatMap(({ fields }) => placesOf(fields));
    fc.assert(
      fc.property(wanted, wanted, (mine, theirs) => {
        const before = applied("bob", theirs, nobody);
        const lost = conflictsOf(() => applied("alice", mine, place(before))).map(({ field }) => field);
        const { owners } = applied("alice", mine, { ...place(before), force: true });
        expect(placesFor(owners, "bob")).toEqual(
          placesFor(before.owners, "bob").filter((each) => !lost.includes(each)),
        );
        expect(placesFor(owners, "alice")).toEqual(expect.arrayContaining(lost));
      }),
    );
  });

  test("whoever gives everything up leaves what it was before him, where no field was both his and another's", () => {
    fc.assert(
      fc.property(wanted, wanted, (mine, theirs) => {
        const other = applied("bob", theirs, nobody);
        if (conflictsOf(() => applied("alice", mine, place(other))).length > 0) return;
        const both = applied("alice", mine, place(other));
        const none = applied("alice", { metadata: { name: "it" } }, place(both));
        expect(sorted(none.object)).toEqual(sorted(other.object));
        expect(none.owners).toEqual(other.owners);
      }),
    );
  });

  test("two managers without a conflict come to the same in either order", () => {
    fc.assert(
      fc.property(wanted, wanted, (mine, theirs) => {
        const first = applied("alice", mine, nobody);
        if (conflictsOf(() => applied("bob", theirs, place(first))).length > 0) return;
        const one = applied("bob", theirs, place(first));
        const two = applied("alice", mine, place(applied("bob", theirs, nobody)));
        expect(sorted(one.object)).toEqual(sorted(two.object));
        expect(formatManagedFields(one.owners)).toEqual(formatManagedFields(two.owners));
      }),
    );
  });

  test("managedFields are read as they were written", () => {
    fc.assert(
      fc.property(wanted, wanted, (mine, theirs) => {
        const { owners } = applied("alice", mine, { ...place(applied("bob", theirs, nobody)), force: true });
        const read = parseManagedFields(JSON.parse(JSON.stringify(formatManagedFields(owners))));
        expect(formatManagedFields(read)).toEqual(formatManagedFields(owners));
        for (const { fields } of owners) expect(sameSet(fromFieldsV1(toFieldsV1(fields)), { ...fields })).toBe(true);
      }),
    );
  });

  function conflictsOf(act: () => unknown): ApplyConflictError["conflicts"] {
    try {
      act();
      return [];
    } catch (error) {
      if (error instanceof ApplyConflictError) return error.conflicts;
      throw error;
    }
  }

  /** The order of items is that of whoever came first, and is nobody's. */
  function sorted(value: unknown): unknown {
    if (Array.isArray(value)) {
      return value.map(sorted).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
    }
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(
      Object.entries(value)
        .map(([key, each]) => [key, sorted(each)] as const)
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  }
});
