// RFC 6902: operations applied in order, all or none. The document given is not changed.
import { isJsonObject, type Json, jsonEqual } from "../../controller/kernel/json.ts";
import { HttpError } from "../http-error.ts";

/** More operations than anyone writes by hand or by kubectl; Kubernetes' own bound. */
const MAX_OPERATIONS = 10_000;

export function jsonPatch(document: Json, patch: unknown): Json {
  if (!Array.isArray(patch)) throw new HttpError("BadRequest", "a JSON patch must be an array of operations");
  if (patch.length > MAX_OPERATIONS) {
    throw new HttpError("RequestEntityTooLarge", `a JSON patch may hold at most ${MAX_OPERATIONS} operations`);
  }
  return patch.reduce<Json>(apply, document);
}

function apply(document: Json, operation: unknown): Json {
  if (!isJsonObject(operation)) throw new HttpError("BadRequest", "an operation of a JSON patch must be an object");
  const { op } = operation;
  const path = pointer(operation.path, "path");
  switch (op) {
    case "add":
      return add(document, path, operand(operation));
    case "remove":
      return remove(document, path);
    case "replace":
      return add(remove(document, path), path, operand(operation));
    case "move": {
      const from = pointer(operation.from, "from");
      return add(remove(document, from), path, read(document, from));
    }
    case "copy":
      return add(document, path, read(document, pointer(operation.from, "from")));
    case "test":
      if (jsonEqual(read(document, path), operand(operation))) return document;
      throw refused(`the test of ${text(path)} failed`);
    default:
      throw new HttpError("BadRequest", `unknown operation ${JSON.stringify(op)} in a JSON patch`);
  }
}

type Pointer = readonly string[];

function pointer(value: unknown, member: string): Pointer {
  if (value === "") return [];
  if (typeof value !== "string" || !value.startsWith("/")) {
    throw new HttpError(
      "BadRequest",
      `${member} of a JSON patch operation must be a JSON pointer such as /spec/region`,
    );
  }
  return value
    .slice(1)
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function operand(operation: { readonly value?: Json | undefined }): Json {
  if (operation.value === undefined) throw new HttpError("BadRequest", "an operation of a JSON patch lacks its value");
  return operation.value;
}

function read(document: Json, path: Pointer): Json {
  return path.reduce<Json>((value, key) => {
    const child = childOf(value, key);
    if (child === undefined) throw refused(`there is nothing at ${text(path)}`);
    return child;
  }, document);
}

function add(document: Json, path: Pointer, value: Json): Json {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (rest.length > 0) return withChild(document, key, add(read(document, [key]), rest, value));
  if (!isArray(document)) return withChild(document, key, value);
  const index = key === "-" ? document.length : indexOf(document, key, document.length);
  return [...document.slice(0, index), value, ...document.slice(index)];
}

function remove(document: Json, path: Pointer): Json {
  const [key, ...rest] = path;
  if (key === undefined) return null;
  if (rest.length > 0) return withChild(document, key, remove(read(document, [key]), rest));
  read(document, [key]);
  if (isArray(document)) return document.filter((_, index) => index !== Number(key));
  const { [key]: _, ...kept } = isJsonObject(document) ? document : {};
  return kept;
}

function withChild(parent: Json, key: string, child: Json): Json {
  if (isArray(parent))
    return parent.map((item, index) => (index === indexOf(parent, key, parent.length - 1) ? child : item));
  if (isJsonObject(parent) && key !== "__proto__") return { ...parent, [key]: child };
  throw refused(`${JSON.stringify(key)} cannot be set there`);
}

function childOf(value: Json, key: string): Json | undefined {
  if (isArray(value)) return /^(0|[1-9]\d*)$/.test(key) ? value[Number(key)] : undefined;
  return isJsonObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

function indexOf(array: readonly Json[], key: string, max: number): number {
  const index = /^(0|[1-9]\d*)$/.test(key) ? Number(key) : Number.NaN;
  if (index <= max) return index;
  throw refused(`${JSON.stringify(key)} is no index of an array of ${array.length}`);
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

function text(path: Pointer): string {
  return `/${path.join("/")}`;
}

function refused(message: string): HttpError {
  return new HttpError("Invalid", `the JSON patch cannot be applied: ${message}`);
}
