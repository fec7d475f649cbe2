// Field selectors: `metadata.name=web,status.state!=Running` over any path that leads to a scalar. As in Kubernetes a
// field that is absent equals the empty text, and `\` escapes a comma, an equals sign or itself.
import { isJsonObject } from "../kernel/json.ts";
import { BadRequestError } from "./errors.ts";

export interface FieldRequirement {
  readonly path: string;
  readonly equal: boolean;
  readonly value: string;
}

/** BadRequestError for text outside the grammar. Empty text requires nothing. */
export function parseFieldSelector(text: string): readonly FieldRequirement[] {
  return splitUnescaped(text).map((term) => {
    const match = /^\s*([A-Za-z_][\w.-]*)\s*(!=|==|=)((?:[^\\=]|\\.)*)$/s.exec(term);
    if (!match) {
      throw new BadRequestError(`unable to parse field selector "${text}": "${term}" is not path=value or path!=value`);
    }
    const [, path = "", operator, value = ""] = match;
    return { path, equal: operator !== "!=", value: unescaped(value, text) };
  });
}

export function matchesFields(requirements: readonly FieldRequirement[], object: unknown): boolean {
  return requirements.every(({ path, equal, value }) => (scalarAt(object, path) === value) === equal);
}

/** The value at a dotted path as text; empty when it is absent or no scalar. */
function scalarAt(object: unknown, path: string): string {
  let value: unknown = object;
  for (const key of path.split(".")) {
    if (!isJsonObject(value) || !Object.hasOwn(value, key)) return "";
    value = value[key];
  }
  return ["string", "number", "boolean"].includes(typeof value) ? String(value) : "";
}

function splitUnescaped(text: string): readonly string[] {
  return text.match(/(?:[^\\,]|\\.?)+/gs) ?? [];
}

function unescaped(value: string, selector: string): string {
  return value.replace(/\\(.)/gs, (_, character: string) => {
    if (!"\\,=".includes(character)) {
      throw new BadRequestError(`field selector "${selector}": "\\${character}" is no escape; known are \\\\ \\, \\=`);
    }
    return character;
  });
}
