// The whole of an object as one compiled schema: apiVersion, kind, metadata and the kind's own members. One parse gives the
// object with its defaults; unknown fields are refused, or taken out when the caller asked for leniency.
import { z } from "zod";
import { type AnyResource, apiVersionOf, type KindDef, objectMeta } from "../../crds/resource.ts";
import { isJsonObject, type JsonObject } from "../kernel/json.ts";
import { BadRequestError } from "../store/errors.ts";
import { type AdmissionOptions, InvalidError } from "./admission.ts";
import { causesOf, pathText, valueAt } from "./causes.ts";
import type { Path } from "./known-keys.ts";
import { plainTextCauses } from "./plain-text.ts";

/** An object as its author wrote it, with the defaults of its schema. */
export interface Parsed extends Omit<AnyResource, "metadata"> {
  readonly metadata: z.output<typeof objectMeta>;
}

export interface KindSchema {
  /** Throws InvalidError with every cause. Status is the controllers' and is left out. */
  parse(input: unknown, options: AdmissionOptions): Parsed;
  /** Metadata alone, for an object whose other members are known to be as they were admitted. */
  parseMetadata(input: JsonObject, options: AdmissionOptions): Parsed;
  /** The status alone, for the status subresource. */
  parseStatus(status: unknown, objectName: string, options: AdmissionOptions): unknown;
}

export function kindSchema(kind: KindDef): KindSchema {
  const { status, ...members } = kind.fields;
  const whole = z.strictObject({
    apiVersion: z.string(),
    kind: z.string(),
    metadata: objectMeta,
    ...members,
    ...(status ? { status: z.unknown().optional() } : {}),
  });
  // Named in the order that people read them in; the rest of the body is kept behind them as it comes.
  const metadataOnly = z.looseObject({ apiVersion: z.unknown(), kind: z.unknown(), metadata: objectMeta });
  const statusOnly = z.strictObject({ status: (status ?? z.undefined()).optional() });

  function parseWith(schema: z.ZodType<Record<string, unknown>>, input: JsonObject, options: AdmissionOptions): Parsed {
    requireType(kind, input);
    const metadata = input.metadata ?? {};
    const { status: _, ...object } = run(kind, schema, { ...input, metadata }, nameOf(input), options);
    // The members are the kind's own, checked by the parse above; TypeScript knows them as unknown.
    return object as unknown as Parsed;
  }

  return {
    parse(input, options) {
      if (!isJsonObject(input)) throw new BadRequestError(`the object must be a ${kind.kind}, not ${typeOf(input)}`);
      const broken = plainTextCauses(input.spec, ["spec"]);
      if (broken.length > 0) throw new InvalidError(kind, nameOf(input), broken);
      return parseWith(whole, input, options);
    },
    parseMetadata: (input, options) => parseWith(metadataOnly, input, options),
    parseStatus(value, objectName, options) {
      return run(kind, statusOnly, { status: value }, objectName, options).status;
    },
  };
}

function run(
  kind: KindDef,
  schema: z.ZodType<Record<string, unknown>>,
  input: unknown,
  objectName: string,
  options: AdmissionOptions,
): Record<string, unknown> {
  const first = schema.safeParse(input);
  if (first.success) return first.data;
  const nulls = first.error.issues.map((issue) => issue.path).filter((path) => isNullMember(input, path));
  if (nulls.length > 0) {
    const set = structuredClone(input);
    for (const path of nulls) remove(set, path.slice(0, -1), String(path.at(-1)));
    return run(kind, schema, set, objectName, options);
  }
  const unknownKeys = first.error.issues.filter((issue) => issue.code === "unrecognized_keys");
  if (unknownKeys.length === 0) {
    throw new InvalidError(kind, objectName, causesOf(first.error.issues, schema, input));
  }
  const causes = causesOf(unknownKeys, schema, input);
  if (options.fieldValidation !== "Warn" && options.fieldValidation !== "Ignore") {
    throw new InvalidError(kind, objectName, causes);
  }
  if (options.fieldValidation === "Warn") for (const cause of causes) options.warn?.(unknownFieldText(cause));
  const pruned = structuredClone(input);
  for (const issue of unknownKeys) for (const key of issue.keys) remove(pruned, issue.path, key);
  return run(kind, schema, pruned, objectName, { fieldValidation: "Strict" });
}

/** `unknown field "spec.imagee", did you mean "image"?` */
export function unknownFieldText(cause: { readonly field: string; readonly message: string }): string {
  return cause.message.replace(/^unknown field/, `unknown field ${JSON.stringify(cause.field)}`);
}

/** Where null is no value, a member that is null is one that is not set, as in Kubernetes. */
function isNullMember(input: unknown, path: Path): boolean {
  return typeof path.at(-1) === "string" && valueAt(input, path) === null;
}

function remove(root: unknown, path: Path, key: string): void {
  const parent = path.reduce<unknown>((value, step) => (value as Record<PropertyKey, unknown>)?.[step], root);
  if (typeof parent !== "object" || parent === null) throw new TypeError(`no object at ${pathText(path)}`);
  Reflect.deleteProperty(parent, key);
}

export function requireType(kind: KindDef, input: { readonly apiVersion?: unknown; readonly kind?: unknown }): void {
  const apiVersion = apiVersionOf(kind);
  if (input.apiVersion === apiVersion && input.kind === kind.kind) return;
  const given = `${JSON.stringify(input.kind ?? "")} in version ${JSON.stringify(input.apiVersion ?? "")}`;
  throw new BadRequestError(
    `the object is ${given}; expected kind ${JSON.stringify(kind.kind)} in version ${JSON.stringify(apiVersion)}`,
  );
}

function nameOf(input: { readonly metadata?: unknown }): string {
  const name = isJsonObject(input.metadata) ? (input.metadata.name ?? input.metadata.generateName) : undefined;
  return typeof name === "string" ? name : "";
}

function typeOf(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  return Array.isArray(value) ? "an array" : `a ${typeof value}`;
}
