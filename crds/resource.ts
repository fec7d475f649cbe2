// What every kind has in common: metadata, conditions, and the description from which all else about a kind is made
// (validation, tables, CRD YAML, OpenAPI).
import { z } from "zod";

/** RFC 1123 label: lower case letters, digits and `-`, at most 63, as Kubernetes wants for most names. */
export const NAME_PATTERN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
export const NAME_MAX = 63;

const ownerReference = z.strictObject({
  apiVersion: z.string(),
  kind: z.string(),
  name: z.string(),
  uid: z.string(),
  controller: z.boolean().optional(),
  blockOwnerDeletion: z.boolean().optional(),
});

const labels = z.record(z.string(), z.string());

/** Kubernetes' ObjectMeta, as far as it is kept here. Times are RFC 3339 in UTC with seconds. */
export const objectMeta = z.strictObject({
  name: z.string().optional(),
  generateName: z.string().optional(),
  namespace: z.string().optional(),
  uid: z.string().optional(),
  resourceVersion: z.string().optional(),
  generation: z.number().int().optional(),
  creationTimestamp: z.string().nullish(),
  deletionTimestamp: z.string().optional(),
  deletionGracePeriodSeconds: z.number().int().optional(),
  labels: labels.optional(),
  annotations: labels.optional(),
  finalizers: z.array(z.string()).optional(),
  ownerReferences: z.array(ownerReference).optional(),
  managedFields: z.array(z.unknown()).optional(),
  selfLink: z.string().optional(),
});

export type OwnerReference = z.output<typeof ownerReference>;

/** Metadata of a stored object: what the store assigns is always there. */
export interface ObjectMeta {
  readonly name: string;
  readonly generateName?: string | undefined;
  /** Absent for cluster-scoped kinds only. */
  readonly namespace?: string | undefined;
  readonly uid: string;
  /** The store's revision of the last write, in decimal. */
  readonly resourceVersion: string;
  /** Counts changes of anything but metadata and status. */
  readonly generation: number;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string | undefined;
  readonly deletionGracePeriodSeconds?: number | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly finalizers?: readonly string[] | undefined;
  readonly ownerReferences?: readonly OwnerReference[] | undefined;
}

export const condition = z.strictObject({
  type: z.string(),
  status: z.enum(["True", "False", "Unknown"]),
  reason: z.string(),
  message: z.string(),
  observedGeneration: z.number().int(),
  lastTransitionTime: z.string(),
});
export type Condition = z.output<typeof condition>;

/** An object of any kind, as stored and served. */
export interface AnyResource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

export interface Resource<Spec, Status, Kind extends string> extends AnyResource {
  readonly kind: Kind;
  readonly spec: Spec;
  readonly status?: Status | undefined;
}

/** A column of `kubectl get`. Priority 0 is always shown, 1 with `-o wide`. */
export interface Column {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  /** JSONPath of the simple form: `.status.machine.id`, `.status.conditions[?(@.type=="Ready")].status`. */
  readonly jsonPath: string;
  readonly priority?: 0 | 1;
  readonly description?: string;
}

/** Everything there is to know about a kind; adding one is a file here and a line in `kinds.ts`. */
export interface KindDef<R extends AnyResource = AnyResource> {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly scope: "Namespaced" | "Cluster";
  /** One sentence for `explain`. */
  readonly description: string;
  /** The members of an object beside apiVersion, kind and metadata: `spec` and `status`, or what the kind has instead. */
  readonly fields: Readonly<Record<string, z.ZodType>>;
  readonly columns: readonly Column[];
  /** Paths below the object that may not change once set, each with the reason that the user is told. */
  readonly immutable: readonly { readonly path: string; readonly reason: string }[];
  /** Carries the type only; never set. */
  readonly resource?: R;
}

export const AGE_COLUMN: Column = { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" };

export function apiVersionOf(kind: Pick<KindDef, "group" | "version">): string {
  return kind.group === "" ? kind.version : `${kind.group}/${kind.version}`;
}

/** `instances.fly.lightfast.ai`, as Kubernetes names a resource in messages; the plain plural in the core group. */
export function qualifiedResource(kind: Pick<KindDef, "group" | "plural">): string {
  return kind.group === "" ? kind.plural : `${kind.plural}.${kind.group}`;
}

export function findCondition(
  object: { readonly status?: { readonly conditions?: readonly Condition[] | undefined } | undefined },
  type: string,
): Condition | undefined {
  return object.status?.conditions?.find((each) => each.type === type);
}

export const GROUP = "fly.lightfast.ai";
export const VERSION = "v1";
export const API_VERSION = `${GROUP}/${VERSION}`;
