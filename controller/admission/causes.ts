// What zod finds, said as Kubernetes says it: a reason, a path such as `spec.steps[2].name`, and a message that shows the
// value and the remedy. Values that may be secrets are not shown.
import type { z } from "zod";
import { isJsonObject } from "../kernel/json.ts";
import type { Cause } from "./admission.ts";
import { knownKeys, nearest, type Path } from "./known-keys.ts";

type Issue = z.core.$ZodIssue;

export function causesOf(issues: readonly Issue[], schema: z.ZodType, input: unknown): readonly Cause[] {
  return issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => unknownField(schema, issue.path, key));
    }
    if (issue.code === "invalid_key") return issue.issues.map((inner) => badKey(issue.path, inner));
    return [{ field: pathText(issue.path), ...describe(issue, valueAt(input, issue.path), issue.path) }];
  });
}

/** `spec.steps[2].name`; keys that are no plain word stand in brackets. */
export function pathText(path: Path): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    const name = shortened(String(key), KEY_CHARACTERS);
    if (!/^[A-Za-z_][\w-]*$/.test(name)) return `${text}[${name}]`;
    return text === "" ? name : `${text}.${name}`;
  }, "");
}

/** `Invalid value: "x": must be …` */
export function invalidValue(value: unknown, remedy: string): string {
  return `Invalid value: ${shown(value)}: ${remedy}`;
}

export function notSupported(value: unknown, supported: readonly unknown[]): string {
  return `Unsupported value: ${shown(value)}: supported values: ${listed(supported.map((each) => JSON.stringify(each)))}`;
}

/** `a, b, c`, and how many more. */
export function listed(words: readonly string[]): string {
  const rest = words.length - OPTIONS_SHOWN;
  return `${words.slice(0, OPTIONS_SHOWN).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}

function describe(issue: Issue, value: unknown, path: Path): Omit<Cause, "field"> {
  const seen = maySecret(path) && !isHarmless(value) ? HIDDEN : value;
  switch (issue.code) {
    case "invalid_type":
      if (value === undefined) {
        return { reason: "FieldValueRequired", message: `Required value: must be of type ${typeName(issue.expected)}` };
      }
      return { reason: "FieldValueTypeInvalid", message: invalidValue(seen, typeRemedy(issue.expected, value)) };
    case "invalid_value":
      if (value === undefined) {
        return {
          reason: "FieldValueRequired",
          message: `Required value: one of ${issue.values.map(String).join(", ")}`,
        };
      }
      return { reason: "FieldValueNotSupported", message: notSupported(seen, issue.values) };
    case "too_big":
      if (issue.origin === "string") {
        return { reason: "FieldValueTooLong", message: `Too long: may not be more than ${issue.maximum} characters` };
      }
      return {
        reason: "FieldValueInvalid",
        message: invalidValue(seen, bound(issue.origin, "at most", issue.maximum)),
      };
    case "too_small":
      return {
        reason: "FieldValueInvalid",
        message: invalidValue(seen, bound(issue.origin, "at least", issue.minimum)),
      };
    case "invalid_format":
      return {
        reason: "FieldValueInvalid",
        message: invalidValue(seen, issue.format === "base64" ? "must be base64" : issue.message),
      };
    default:
      return { reason: "FieldValueInvalid", message: invalidValue(seen, issue.message) };
  }
}

function unknownField(schema: z.ZodType, path: Path, key: string): Cause {
  const suggestion = nearest(key, knownKeys(schema, path));
  return {
    reason: "UnknownField",
    field: pathText([...path, key]),
    message: suggestion ? `unknown field, did you mean "${suggestion}"?` : "unknown field",
  };
}

function badKey(path: Path, inner: Issue): Cause {
  const key = path.at(-1);
  return { field: pathText(path.slice(0, -1)), ...describe(inner, key, []) };
}

const HIDDEN = Symbol("hidden");
const SHOWN_CHARACTERS = 120;
const KEY_CHARACTERS = 300;
const OPTIONS_SHOWN = 64;

function shown(value: unknown): string {
  if (value === HIDDEN) return "(hidden)";
  const text = JSON.stringify(value) ?? String(value);
  return shortened(text, SHOWN_CHARACTERS);
}

function shortened(text: string, characters: number): string {
  return text.length > characters ? `${text.slice(0, characters)}…` : text;
}

/** Environment, parameters and file contents carry tokens; a number or a boolean there is a forgotten pair of quotes. */
function maySecret(path: Path): boolean {
  return path.some((key) => key === "env" || key === "parameters" || key === "raw_value" || key === "data");
}

function isHarmless(value: unknown): boolean {
  return typeof value === "number" || typeof value === "boolean" || value === null;
}

function typeRemedy(expected: string, value: unknown): string {
  const quote = expected === "string" && (typeof value === "number" || typeof value === "boolean");
  return `must be of type ${typeName(expected)}${quote ? "; put it in quotes" : ""}`;
}

function typeName(expected: string): string {
  if (expected === "int") return "integer";
  return expected === "record" ? "object" : expected;
}

function bound(origin: string, word: "at least" | "at most", limit: number | bigint): string {
  if (origin === "array" || origin === "set") return `must have ${word} ${limit} item${Number(limit) === 1 ? "" : "s"}`;
  if (origin === "string") return `must have ${word} ${limit} character${Number(limit) === 1 ? "" : "s"}`;
  return `must be ${word} ${limit}`;
}

export function valueAt(input: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => {
    if (Array.isArray(value)) return value[Number(key)];
    return isJsonObject(value) ? value[String(key)] : undefined;
  }, input);
}
