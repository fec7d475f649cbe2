// The values that a field is given: absent and null, the ends of its range and what lies just beyond, the wrong type,
// nothing, too much, and text that breaks programs. What must come of each follows from the schema and from rules that hold
// for every field: a null is as good as an absent member, everything has a bound, and text is well-formed without NUL.
import { isJsonObject } from "../../controller/kernel/json.ts";
import { formatDuration, parseDuration } from "../../crds/duration.ts";
import type { Field, IntegerNode, ListNode, ObjectNode, SchemaNode, Step, TextNode } from "./spec-walk-fields.ts";

export const ABSENT = Symbol("absent");
/** What the spec around it has there already. */
const STANDING = Symbol("standing");

export interface Case {
  readonly label: string;
  readonly value: unknown;
  /** `either`: rules between fields, or a pattern, decide; then what is accepted must work, and what is refused be explained. */
  readonly expect: "accept" | "refuse" | "either";
}

const HUGE_TEXT = "x".repeat(1024 * 1024);
const MANY = 10_000;

/** Each is kept as it is or refused; none may be changed on its way. */
const UNICODE: Readonly<Record<string, string>> = {
  combining: "e\u0301\u0327",
  composed: "\u00e9",
  rtl: "\u202eabc\u05d0",
  emoji: "👩\u200d🚀",
  newlines: "a\nb\r\n\tc",
  spaces: "  a  ",
  quotes: `"'\`$(x)\\`,
};

export function casesOf({ node, optional, path }: Field): readonly Case[] {
  const inMap = isInto(path.at(-1), "entry");
  const listed = isInto(path.at(-1), "item");
  const key = isInto(path.at(-1), "key");
  if (key) return [...typed(node), ...KEYS];
  return [
    ...(listed || inMap ? [] : [{ label: "absent", value: ABSENT, expect: optional ? "accept" : "refuse" } as const]),
    { label: "null", value: null, expect: optional || node.nullable ? "accept" : "refuse" },
    ...(node.default === undefined ? [] : [{ label: "default", value: node.default, expect: "accept" } as const]),
    ...strangers(node),
    ...typed(node),
  ];
}

/** Keys of any map: what JavaScript's objects have by themselves must not be mistaken for an entry, nor lost. */
const KEYS: readonly Case[] = [
  { label: "key __proto__", value: "__proto__", expect: "refuse" },
  { label: "key constructor", value: "constructor", expect: "either" },
];

const STRANGERS: readonly [type: SchemaNode["type"] | "number", value: unknown][] = [
  ["boolean", true],
  ["integer", 12_345],
  ["number", 1.5],
  ["string", "text"],
  ["array", ["text"]],
  ["object", { text: "text" }],
];

function strangers(node: SchemaNode): readonly Case[] {
  return STRANGERS.filter(([type]) => type !== node.type).map(([type, value]) => ({
    label: `of type ${type}`,
    value,
    expect: "refuse",
  }));
}

function typed(node: SchemaNode): readonly Case[] {
  switch (node.type) {
    case "boolean":
      return [
        { label: "true", value: true, expect: "either" },
        { label: "false", value: false, expect: "accept" },
        { label: "yes", value: "yes", expect: "refuse" },
      ];
    case "integer":
      return integers(node);
    case "string":
      return node.enum ? choices(node.enum) : [...lengths(node), ...durations(node), ...texts(node)];
    case "array":
      return lists(node);
    case "object":
      return node.additionalProperties ? maps(node) : members(node);
  }
}

function integers({ minimum, maximum }: IntegerNode): readonly Case[] {
  return [
    { label: "minimum", value: minimum, expect: "accept" },
    { label: "maximum", value: maximum, expect: "accept" },
    { label: "below minimum", value: minimum - 1, expect: "refuse" },
    { label: "above maximum", value: maximum + 1, expect: "refuse" },
    { label: "negative", value: -1, expect: "refuse" },
    { label: "as much as JavaScript counts", value: Number.MAX_SAFE_INTEGER, expect: "refuse" },
    { label: "huge", value: 1e308, expect: "refuse" },
    { label: "infinite", value: Number.POSITIVE_INFINITY, expect: "refuse" },
    { label: "not a number", value: Number.NaN, expect: "refuse" },
    { label: "as text", value: String(minimum), expect: "refuse" },
  ];
}

function choices(options: readonly unknown[]): readonly Case[] {
  const swapped = String(options[0]).replace(/^./, (first) =>
    first === first.toLowerCase() ? first.toUpperCase() : first.toLowerCase(),
  );
  return [
    ...options.map((value): Case => ({ label: `option ${String(value)}`, value, expect: "either" })),
    { label: "empty", value: "", expect: "refuse" },
    { label: "no option", value: "wibble", expect: "refuse" },
    { label: "in another case", value: swapped, expect: "refuse" },
    { label: "with a space", value: `${String(options[0])} `, expect: "refuse" },
    { label: "huge", value: HUGE_TEXT, expect: "refuse" },
  ];
}

function lengths(node: TextNode): readonly Case[] {
  const { minLength = 0, maxLength } = node;
  const of = (length: number) => "a".repeat(length);
  return [
    { label: "sample", value: sampleOf(node), expect: "either" },
    { label: "empty", value: "", expect: minLength > 0 ? "refuse" : "either" },
    { label: "huge", value: HUGE_TEXT, expect: "refuse" },
    ...(maxLength === undefined
      ? []
      : ([
          { label: "longest", value: of(maxLength), expect: "either" },
          { label: "too long", value: of(maxLength + 1), expect: "refuse" },
        ] as const)),
  ];
}

function durations(node: TextNode): readonly Case[] {
  if (node.format !== "duration") return [];
  const minMs = parseDuration(node.minimumDuration ?? "") ?? Number.NaN;
  const maxMs = parseDuration(node.maximumDuration ?? "") ?? Number.NaN;
  const refused = ["-5s", "5", "1e3s", "1 h", "٣s", "5S", "PT5S", "Infinitys", "NaNs", `${"9".repeat(400)}s`];
  return [
    { label: "minimum", value: formatDuration(minMs), expect: "accept" },
    { label: "maximum", value: formatDuration(maxMs), expect: "accept" },
    { label: "maximum in other units", value: `${maxMs}ms`, expect: "accept" },
    ...(minMs > 0 ? [{ label: "below minimum", value: formatDuration(minMs - 1), expect: "refuse" } as const] : []),
    { label: "above maximum", value: formatDuration(maxMs + 1), expect: "refuse" },
    ...refused.map((value): Case => ({ label: value.slice(0, 12), value, expect: "refuse" })),
  ];
}

function texts({ format }: TextNode): readonly Case[] {
  return [
    ...Object.entries(UNICODE).map(
      ([label, value]): Case => ({ label, value, expect: format === undefined ? "either" : "refuse" }),
    ),
    { label: "NUL", value: "a\0b", expect: "refuse" },
    { label: "half a surrogate pair", value: "a\ud83db", expect: "refuse" },
  ];
}

function lists(node: ListNode): readonly Case[] {
  const { items, minItems = 0, maxItems } = node;
  const sample = sampleOf(items);
  const of = (length: number) => Array.from({ length }, (_, index) => sampleOf(items, index));
  return [
    { label: "empty", value: [], expect: minItems > 0 ? "refuse" : "accept" },
    { label: "one", value: [sample], expect: "either" },
    { label: "twice the same", value: [sample, sample], expect: "either" },
    { label: "with null", value: [sample, null], expect: "refuse" },
    { label: "huge", value: Array(MANY).fill(sample), expect: "refuse" },
    ...(maxItems === undefined
      ? []
      : ([
          { label: "longest", value: of(maxItems), expect: "either" },
          { label: "too long", value: of(maxItems + 1), expect: "refuse" },
        ] as const)),
  ];
}

function maps(node: ObjectNode): readonly Case[] {
  const value = node.additionalProperties ? sampleOf(node.additionalProperties) : undefined;
  const of = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, value]));
  return [
    { label: "empty", value: {}, expect: "either" },
    { label: "two entries", value: { k1: value, k2: value }, expect: "either" },
    { label: "huge", value: of(MANY), expect: "refuse" },
  ];
}

function members(node: ObjectNode): readonly Case[] {
  const sample = sampleOf(node);
  const [first] = Object.keys(node.properties ?? {});
  const unknown = `${first}x`;
  return [
    { label: "empty", value: {}, expect: node.required?.length ? "refuse" : "either" },
    { label: "least", value: sample, expect: "either" },
    { label: "as it stands", value: STANDING, expect: "either" },
    { label: `unknown ${unknown}`, value: { ...object(sample), [unknown]: 1 }, expect: "refuse" },
    { label: "own __proto__", value: JSON.parse(`{"__proto__":{"a":1}}`), expect: "refuse" },
  ];
}

const WORDS = ["a", "iad", "/a", "A", "2026-01-01T00:00:00Z"];

/** A valid value, as small as can be; another one for another `index` where there are others. */
export function sampleOf(node: SchemaNode, index = 0): unknown {
  switch (node.type) {
    case "boolean":
      return false;
    case "integer":
      return Math.max(node.minimum, 1);
    case "array":
      return Array.from({ length: node.minItems ?? 0 }, () => sampleOf(node.items));
    case "object":
      return Object.fromEntries(
        (node.required ?? []).map((key) => [key, sampleOf(node.properties?.[key] ?? node, index)]),
      );
    case "string":
      return sampleText(node, index);
  }
}

function sampleText({ enum: options, format, pattern, minimumDuration, maximumDuration }: TextNode, index: number) {
  if (options) return options[index % options.length];
  if (format === "base64") return "YQ==";
  if (format === "duration") return minimumDuration === "0s" ? maximumDuration : minimumDuration;
  const fitting = WORDS.filter((word) => pattern === undefined || new RegExp(pattern, "u").test(word));
  const [word] = fitting;
  if (word === undefined) throw new TypeError(`no sample word fits ${pattern}: give the walk one`);
  if (index === 0 || pattern === undefined) return index === 0 ? word : `${word}${index}`;
  const other = `${word}${index}`;
  return new RegExp(pattern, "u").test(other) ? other : word;
}

/** `spec` with the field at `path` as given; what has to be around it is made as small as can be. */
export function place(spec: unknown, root: SchemaNode, path: readonly Step[], value: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value === STANDING ? (spec ?? sampleOf(root)) : value;
  if (typeof step !== "string" && step.into === "item") {
    const items = Array.isArray(spec) ? spec : [];
    const [first, ...others] = items.length > 0 ? items : [undefined];
    return [place(first ?? sampleIf(rest, item(root)), item(root), rest, value), ...others];
  }
  const entries = isJsonObject(spec) ? spec : object(sampleOf(root));
  if (typeof step !== "string" && step.into === "key") {
    const held = Object.values(entries)[0] ?? sampleOf(entry(root));
    return Object.fromEntries([[String(value), held]]);
  }
  const key = typeof step === "string" ? step : (Object.keys(entries)[0] ?? "k");
  const inner = typeof step === "string" ? member(root, step) : entry(root);
  const placed = place(entries[key] ?? sampleIf(rest, inner), inner, rest, value);
  const { [key]: _former, ...others } = entries;
  return placed === ABSENT ? others : { ...others, [key]: placed };
}

function sampleIf(rest: readonly Step[], node: SchemaNode): unknown {
  return rest.length > 0 ? sampleOf(node) : undefined;
}

function member(node: SchemaNode, key: string): SchemaNode {
  const found = node.type === "object" ? node.properties?.[key] : undefined;
  if (!found) throw new TypeError(`no member ${key}`);
  return found;
}

function entry(node: SchemaNode): SchemaNode {
  if (node.type === "object" && node.additionalProperties) return node.additionalProperties;
  throw new TypeError("not a map");
}

function item(node: SchemaNode): SchemaNode {
  if (node.type === "array") return node.items;
  throw new TypeError("not a list");
}

function object(value: unknown): Readonly<Record<string, unknown>> {
  return isJsonObject(value) ? value : {};
}

function isInto(step: Step | undefined, into: "item" | "entry" | "key"): boolean {
  return typeof step === "object" && step.into === into;
}
