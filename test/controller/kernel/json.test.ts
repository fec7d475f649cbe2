import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonEqual, stableStringify } from "../../../controller/kernel/json.ts";

test("two values are equal when their text with sorted keys is", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), fc.jsonValue({ maxDepth: 3 }), (a, b) => {
      expect(jsonEqual(a, b)).toBe(stableStringify(a) === stableStringify(b));
      expect(jsonEqual(a, structuredClone(a))).toBe(true);
    }),
  );
});

interface Row {
  readonly a: unknown;
  readonly b: unknown;
  readonly equal: boolean;
  readonly reason: string;
}

test.each<Row>([
  { a: {}, b: { x: undefined }, equal: true, reason: "an absent key equals an undefined one" },
  { a: { x: 1 }, b: {}, equal: false, reason: "a key only on the left" },
  { a: {}, b: { x: 1 }, equal: false, reason: "a key only on the right" },
  { a: { constructor: 1 }, b: {}, equal: false, reason: "what every object inherits is not a key" },
  { a: {}, b: { constructor: 1 }, equal: false, reason: "what every object inherits is not a key" },
  { a: JSON.parse('{"__proto__":{}}'), b: {}, equal: false, reason: "a key of that name is a key" },
  { a: [], b: {}, equal: false, reason: "a list is not an object" },
  { a: { x: null }, b: {}, equal: false, reason: "null is a value" },
])("$reason", ({ a, b, equal }) => {
  expect(jsonEqual(a, b)).toBe(equal);
  expect(jsonEqual(b, a)).toBe(equal);
});
