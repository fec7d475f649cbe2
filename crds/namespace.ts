// Core Namespace: the scope of names.
import { z } from "zod";
import { AGE_COLUMN, type KindDef, type Resource } from "./resource.ts";

const namespaceSpec = z.strictObject({
  finalizers: z
    .array(z.string().max(253))
    .max(16)
    .optional()
    .describe("What must be done before the namespace may go."),
});
const namespaceStatus = z.strictObject({
  phase: z.enum(["Active", "Terminating"]).optional().describe("Terminating while its objects are deleted."),
});

export type Namespace = Resource<z.output<typeof namespaceSpec>, z.output<typeof namespaceStatus>, "Namespace">;

export const namespaceKind: KindDef<Namespace> = {
  group: "",
  version: "v1",
  kind: "Namespace",
  plural: "namespaces",
  singular: "namespace",
  shortNames: ["ns"],
  categories: [],
  scope: "Cluster",
  description: "A scope of names.",
  fields: { spec: namespaceSpec.optional(), status: namespaceStatus.optional() },
  columns: [{ name: "Status", type: "string", jsonPath: ".status.phase" }, AGE_COLUMN],
  immutable: [],
};

/** Holds a namespace that is being deleted until nothing is left in it. */
export const NAMESPACE_FINALIZER = "kubernetes";

export const DEFAULT_NAMESPACE = "default";
