import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LAST_APPLIED, lastApplied, threeWayPatch, withLastApplied } from "../../../api/cli/three-way.ts";
import { type Json, type JsonObject, mergePatch } from "../../../controller/kernel/json.ts";

describe("a three-way patch", () => {
  test.each([
    { reason: "nothing to do", original: { a: 1 }, modified: { a: 1 }, current: { a: 1, b: 2 }, patch: {} },
    { reason: "a change", original: { a: 1 }, modified: { a: 2 }, current: { a: 1 }, patch: { a: 2 } },
    { reason: "drift is set right", original: { a: 1 }, modified: { a: 1 }, current: { a: 3 }, patch: { a: 1 } },
    {
      reason: "what left the manifest goes",
      original: { a: 1 },
      modified: {},
      current: { a: 1, b: 2 },
      patch: { a: null },
    },
    { reason: "what is gone already is left alone", original: { a: 1 }, modified: {}, current: { b: 2 }, patch: {} },
    {
      reason: "it goes deep",
      original: { s: { a: 1, b: 1 } },
      modified: { s: { b: 1 } },
      current: { s: { a: 1, b: 1, c: 1 } },
      patch: { s: { a: null } },
    },
    {
      reason: "lists are replaced whole",
      original: {},
      modified: { l: [1, 2] },
      current: { l: [2, 1] },
      patch: { l: [1, 2] },
    },
    { reason: "an explicit null removes", original: {}, modified: { a: null }, current: { a: 1 }, patch: { a: null } },
    {
      reason: "an object takes the place of a text",
      original: {},
      modified: { a: { b: 1 } },
      current: { a: "x" },
      patch: { a: { b: 1 } },
    },
  ])("$reason", ({ original, modified, current, patch }) => {
    expect(threeWayPatch(original, modified, current)).toEqual(patch);
  });

  const json: fc.Arbitrary<JsonObject> = fc.dictionary(
    fc.constantFrom("a", "b", "c"),
    fc.letrec<{ value: Json }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 2 },
        fc.integer({ min: 0, max: 3 }),
        fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 2 }),
        fc.dictionary(fc.constantFrom("a", "b", "c"), tie("value")),
      ),
    })).value,
  );

  test("applied once, a second one is empty", () => {
    fc.assert(
      fc.property(json, json, json, (original, modified, current) => {
        // A patch is JSON, for all it is made of is.
        const patch = threeWayPatch(original, modified, current) as JsonObject;
        const next = mergePatch(current, patch) as JsonObject;
        expect(threeWayPatch(modified, modified, next)).toEqual({});
      }),
    );
  });
});

describe("the record of the last apply", () => {
  test("is kubectl's to the byte: sorted, with namespace and empty annotations, HTML escaped, with a line end", () => {
    const manifest = { kind: "Instance", apiVersion: "v", metadata: { name: "x" }, spec: { run: "a 2>&1 <b" } };
    const { metadata } = withLastApplied(manifest, "default");
    expect((metadata as { annotations: Record<string, string> }).annotations[LAST_APPLIED]).toBe(
      '{"apiVersion":"v","kind":"Instance","metadata":{"annotations":{},"name":"x","namespace":"default"},' +
        '"spec":{"run":"a 2\\u003e\\u00261 \\u003cb"}}\n',
    );
  });

  test("is read back, does not contain itself, and is nothing when it is damaged", () => {
    const once = withLastApplied({ metadata: { name: "x", annotations: { note: "a" } } }, undefined);
    const twice = withLastApplied(once, undefined);
    expect(twice).toEqual(once);
    expect(lastApplied(once)).toEqual({ metadata: { name: "x", annotations: { note: "a" } } });
    expect(lastApplied({ metadata: { annotations: { [LAST_APPLIED]: "{" } } })).toEqual({});
    expect(lastApplied({})).toEqual({});
  });
});
