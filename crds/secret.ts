// Core Secret: values that nobody should see who need not. Encrypted in the database, and shown by no table, log or Event.
import { z } from "zod";
import { dataKey } from "./config-map.ts";
import { AGE_COLUMN, type AnyResource, type KindDef } from "./resource.ts";

const fields = {
  type: z.string().max(253).default("Opaque").describe("What the values are for; a word of whoever uses them."),
  data: z.record(dataKey, z.base64()).optional().describe("Values by key, in base64."),
  stringData: z
    .record(dataKey, z.string())
    .optional()
    .describe("Values by key as plain text, taken into data and never shown."),
  immutable: z.boolean().optional().describe("true: the data can never change again."),
};
const body = z.object(fields);

export interface Secret extends AnyResource, z.output<typeof body> {
  readonly kind: "Secret";
}

export const secretKind: KindDef<Secret> = {
  group: "",
  version: "v1",
  kind: "Secret",
  plural: "secrets",
  singular: "secret",
  shortNames: [],
  categories: [],
  scope: "Namespaced",
  description: "Values that are secret.",
  confidential: true,
  fields,
  columns: [
    { name: "Type", type: "string", jsonPath: ".type" },
    { name: "Data", type: "integer", jsonPath: ".data", count: true },
    AGE_COLUMN,
  ],
  immutable: [{ path: "type", reason: "who uses the secret relies on its type; create another one" }],
};
