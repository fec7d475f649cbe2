// `-o`: objects as JSON, YAML, names or what a JSONPath leads to. Tables are the server's own.
import { UsageError } from "./failure.ts";
import { render } from "./json-path.ts";
import type { ApiObject } from "./object.ts";
import type { ResourceType } from "./resources.ts";

export type Output =
  | { readonly form: "table"; readonly wide: boolean }
  | { readonly form: "json" | "yaml" | "name" }
  | { readonly form: "jsonpath"; readonly template: string };

export type ObjectOutput = Exclude<Output, { form: "table" }>;

export const OUTPUT_HELP = "wide, yaml, json, name or jsonpath='{…}'";

export function parseOutput(text: string | undefined): Output {
  if (text === undefined) return { form: "table", wide: false };
  if (text === "wide") return { form: "table", wide: true };
  if (text === "json" || text === "yaml" || text === "name") return { form: text };
  const template = /^jsonpath=(.+)$/s.exec(text)?.[1];
  if (template !== undefined) return { form: "jsonpath", template };
  throw new UsageError(`-o ${text} is not known; use ${OUTPUT_HELP}`);
}

/** One object by name stays one; anything else is a List, as kubectl has it. Who manages which field is left out unless asked for. */
export async function formatObjects(
  output: ObjectOutput,
  objects: readonly ApiObject[],
  one: boolean,
  managedFields = false,
): Promise<string> {
  if (output.form === "name")
    return objects.map((object) => `${object.kind.toLowerCase()}/${object.metadata.name}\n`).join("");
  const shown = managedFields ? objects : objects.map(withoutBookkeeping);
  return formatObject(output, one ? shown[0] : { apiVersion: "v1", kind: "List", metadata: {}, items: shown });
}

/** Any value in a form that has no names to print. */
export async function formatObject(output: ObjectOutput, value: unknown): Promise<string> {
  switch (output.form) {
    case "json":
      return `${JSON.stringify(value, undefined, 2)}\n`;
    case "jsonpath":
      return render(output.template, value);
    case "yaml":
      return toYaml(value);
    case "name":
      throw new UsageError("-o name is for objects");
  }
}

/** Loaded when it is needed: parsing and printing YAML is the largest part of this program. */
export async function toYaml(value: unknown, options: { readonly sorted?: boolean } = {}): Promise<string> {
  const { stringify } = await import("yaml");
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false, sortMapEntries: options.sorted ?? false });
}

/** `instance/dev-box`, the way one object is named to people; also understood as an argument. */
export function displayName(type: Pick<ResourceType, "singular">, name: string): string {
  return `${type.singular}/${name}`;
}

function withoutBookkeeping(object: ApiObject): ApiObject {
  const { managedFields, ...metadata } = object.metadata;
  return { ...object, metadata };
}
