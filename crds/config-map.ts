// Core ConfigMap: values that are no secret. Kept for the tools that expect it; nothing here acts on one.
import { z } from "zod";
import { AGE_COLUMN, type AnyResource, type KindDef } from "./resource.ts";

export const dataKey = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[-._a-zA-Z0-9]+$/, "must be letters, digits, -, _ and .");

const fields = {
  data: z.record(dataKey, z.string()).optional().describe("Text by key."),
  binaryData: z.record(dataKey, z.base64()).optional().describe("Bytes by key, in base64."),
  immutable: z.boolean().optional().describe("true: the data can never change again."),
};
const body = z.object(fields);

export interface ConfigMap extends AnyResource, z.output<typeof body> {
  readonly kind: "ConfigMap";
}

export const configMapKind: KindDef<ConfigMap> = {
  group: "",
  version: "v1",
  kind: "ConfigMap",
  plural: "configmaps",
  singular: "configmap",
  shortNames: ["cm"],
  categories: [],
  scope: "Namespaced",
  description: "Configuration that is no secret.",
  fields,
  columns: [{ name: "Data", type: "integer", jsonPath: ".data", count: true }, AGE_COLUMN],
  immutable: [],
};
