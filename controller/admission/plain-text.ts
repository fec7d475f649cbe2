// Text and keys that would not arrive as they were sent, whatever their schema says: NUL ends arguments, variables and paths
// on Linux; half of a surrogate pair becomes another character in any program but ours, Fly's included, and so would
// differ for ever; a key `__proto__` is lost in JavaScript's objects.
import { isJsonObject } from "../kernel/json.ts";
import type { Cause } from "./admission.ts";
import { pathText } from "./causes.ts";
import type { Path } from "./known-keys.ts";

const BROKEN = /\p{Surrogate}|\0/u;

export function plainTextCauses(value: unknown, path: Path): readonly Cause[] {
  if (typeof value === "string") return textCauses(value, path);
  if (Array.isArray(value)) return value.flatMap((item, index) => plainTextCauses(item, [...path, index]));
  if (!isJsonObject(value)) return [];
  return Object.entries(value).flatMap(([key, member]) => {
    if (key === "__proto__") return [invalid(path, 'no key may be "__proto__"')];
    return [...textCauses(key, path), ...plainTextCauses(member, [...path, key])];
  });
}

function textCauses(text: string, path: Path): readonly Cause[] {
  const [broken] = BROKEN.exec(text) ?? [];
  if (broken === undefined) return [];
  return [invalid(path, broken === "\0" ? "must not contain the character NUL" : "must be well-formed Unicode")];
}

/** The value is not shown: it may be a secret, and does not print well either. */
function invalid(path: Path, remedy: string): Cause {
  return { reason: "FieldValueInvalid", field: pathText(path), message: `Invalid value: (hidden): ${remedy}` };
}
