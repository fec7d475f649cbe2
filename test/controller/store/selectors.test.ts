import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BadRequestError } from "../../../controller/store/errors.ts";
import { parseLabelSelector } from "../../../controller/store/label-selector.ts";
import { parseSelector } from "../../../controller/store/selectors.ts";

const LABELS = { app: "web", tier: "2", empty: "", "example.com/name": "a_b.c-d" };

describe("label selectors", () => {
  test.each([
    ["", true],
    ["  ", true],
    ["app=web", true],
    ["app==web", true],
    [" app = web , tier = 2 ", true],
    ["app=web,tier=3", false],
    ["app=", false],
    ["empty=", true],
    ["app!=web", false],
    ["none!=web", true],
    ["none=web", false],
    ["app in (api, web)", true],
    ["app in(web)", true],
    ["app notin (api)", true],
    ["none notin (api)", true],
    ["app notin (api,web)", false],
    ["empty in (,x)", true],
    ["empty in ()", true],
    ["app", true],
    ["none", false],
    ["!none", true],
    ["! app", false],
    ["tier>1", true],
    ["tier < 2", false],
    ["app>1", false],
    ["none<1", false],
    ["in in (x)", false],
    ["notin", false],
    ["example.com/name=a_b.c-d", true],
    ["constructor", false],
    ["!toString,app", true],
  ])("%j selects: %s", (text, selects) => {
    expect(parseLabelSelector(text)(LABELS)).toBe(selects);
  });

  test.each([
    { text: "=x", reason: "no key" },
    { text: "a b", reason: "two words" },
    { text: "a in x", reason: "no parenthesis" },
    { text: "a in (x", reason: "not closed" },
    { text: "a in (x y)", reason: "no comma" },
    { text: "a,", reason: "nothing after the comma" },
    { text: ",a", reason: "nothing before the comma" },
    { text: "a,,b", reason: "nothing between commas" },
    { text: "!a=b", reason: "negation of an equation" },
    { text: "!", reason: "negation of nothing" },
    { text: "a>b", reason: "not an integer" },
    { text: "a=b=c", reason: "two operators" },
    { text: "-a", reason: "not a key" },
    { text: "a/b/c", reason: "not a key" },
    { text: "a=-", reason: "not a value" },
    { text: `a=${"x".repeat(64)}`, reason: "too long a value" },
    { text: "a=b)", reason: "parenthesis from nowhere" },
  ])("$text is refused: $reason", ({ text }) => {
    expect(() => parseLabelSelector(text)).toThrow(BadRequestError);
  });

  const word = fc.stringMatching(/^[a-z0-9]([a-z0-9]{0,3}[a-z0-9])?$/);
  const labels = fc.dictionary(word, word, { maxKeys: 4 });
  const blank = fc.constantFrom("", " ", "  ");
  const operator = fc.constantFrom("=", "==", "!=", "in", "notin", "", "!");
  const requirement = fc.record({ key: word, operator, values: fc.array(word, { minLength: 1, maxLength: 3 }), blank });
  type Requirement = typeof requirement extends fc.Arbitrary<infer R> ? R : never;

  const written = ({ key, operator: op, values, blank: b }: Requirement) => {
    if (op === "") return `${b}${key}${b}`;
    if (op === "!") return `${b}!${b}${key}`;
    if (op === "in" || op === "notin") return `${key} ${op}${b}(${values.join(`${b},${b}`)})${b}`;
    return `${key}${b}${op}${b}${values[0]}`;
  };
  const meant = ({ key, operator: op, values }: Requirement, has: Record<string, string>) => {
    const value = Object.hasOwn(has, key) ? has[key] : undefined;
    const among = value !== undefined && (op === "in" || op === "notin" ? values : values.slice(0, 1)).includes(value);
    if (op === "") return value !== undefined;
    if (op === "!") return value === undefined;
    return op === "!=" || op === "notin" ? !among : among;
  };

  test("what is written is what is selected", () => {
    fc.assert(
      fc.property(fc.array(requirement, { maxLength: 4 }), labels, (requirements, has) => {
        const selects = parseLabelSelector(requirements.map(written).join(","))(has);
        expect(selects).toBe(requirements.every((each) => meant(each, has)));
      }),
    );
  });

  test("any text is either read or refused", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."ab=!,() <>in\\-/") }), labels, (text, has) => {
        try {
          expect(typeof parseLabelSelector(text)(has)).toBe("boolean");
        } catch (error) {
          expect(error).toBeInstanceOf(BadRequestError);
        }
      }),
    );
  });
});

describe("field selectors", () => {
  const object = {
    apiVersion: "v1",
    kind: "X",
    metadata: {
      name: "web",
      namespace: "default",
      uid: "u",
      resourceVersion: "1",
      generation: 3,
      creationTimestamp: "",
    },
    spec: { text: "a,b=c\\d", on: true, list: ["x"], nothing: null },
  };

  test.each([
    ["", true],
    ["metadata.name=web", true],
    ["metadata.name==web, metadata.namespace=default", true],
    ["metadata.name!=web", false],
    ["metadata.generation=3", true],
    ["spec.on=true", true],
    ["spec.none=", true],
    ["spec.none!=x", true],
    ["spec.list=x", false],
    ["spec.nothing=", true],
    ["spec=", true],
    ["spec.text=a\\,b\\=c\\\\d", true],
    ["spec.text!=a\\,b\\=c\\\\d", false],
    ["constructor.name=Object", false],
  ])("%j selects: %s", (fieldSelector, selects) => {
    expect(parseSelector({ fieldSelector }).matches(object)).toBe(selects);
  });

  test.each(["metadata.name", "=x", "a=b=c", "a\\b=c", "a=\\x", "a=b\\"])("%j is refused", (fieldSelector) => {
    expect(() => parseSelector({ fieldSelector })).toThrow(BadRequestError);
  });

  test("any value can be asked for when it is escaped", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (value, other) => {
        const fieldSelector = `metadata.uid=${value.replace(/[\\,=]/g, "\\$&")}`;
        const selector = parseSelector({ fieldSelector });
        const named = (uid: string) => ({ ...object, metadata: { ...object.metadata, uid } });
        expect(selector.matches(named(value))).toBe(true);
        expect(selector.matches(named(other))).toBe(other === value);
      }),
    );
  });
});
