// What every kind has in common: metadata, conditions, and the description from which all else about a kind is made
// (validation, tables, CRD YAML, OpenAPI).
import { z } from "zod";

/** RFC 1123 label: lower case letters, digits and `-`, at most 63, as Kubernetes wants for most names. */
export const NAME_PATTERN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
export const NAME_MAX = 63;
/** The name of another object. */
export const objectName = z
  .string()
  .max(NAME_MAX)
  .regex(NAME_PATTERN, "must be the name of an object: lower case letters, digits and -, at most 63");

/** A list whose items are told apart by a member: server-side apply merges it item by item. */
export function mapList<T extends z.ZodArray>(list: T, key: string): T {
  return list.meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key] });
}

/** A map of at most `max` entries; every list and map has a bound, so that nobody fills an object with one of them. */
export function boundedMap<T extends z.ZodRecord>(map: T, max: number): T {
  return map
    .refine((entries) => Object.keys(entries).length <= max, `must have at most ${max} entries`)
    .meta({ maxProperties: max });
}

const ownerReference = z
  .strictObject({
    apiVersion: z.string().describe("Of the owner."),
    kind: z.string().describe("Of the owner."),
    name: z.string().describe("Of the owner."),
    uid: z.string().describe("Of the owner: another object of the same name does not own this one."),
    controller: z.boolean().optional().describe("Whether the owner manages this object."),
    blockOwnerDeletion: z
      .boolean()
      .optional()
      .describe("Whether a foreground deletion of the owner waits for this object."),
  })
  .describe("An object without which this one is deleted.");

const labels = z.record(z.string(), z.string());

/** Kubernetes' ObjectMeta, as far as it is kept here. Times are RFC 3339 in UTC with seconds. */
export const objectMeta = z
  .strictObject({
    name: z.string().optional().describe("Unique in the namespace; cannot change."),
    generateName: z.string().optional().describe("The server appends five characters to it when there is no name."),
    namespace: z.string().optional().describe("The scope of the name; cannot change."),
    uid: z
      .string()
      .optional()
      .describe("Given by the server; tells objects apart that had the same name one after the other."),
    resourceVersion: z
      .string()
      .optional()
      .describe("Changes with every write; a write that carries an old one is refused."),
    generation: z.int().optional().describe("Counts changes of what is wished for."),
    creationTimestamp: z.string().nullish().describe("When the server made the object, RFC 3339 in UTC."),
    deletionTimestamp: z
      .string()
      .optional()
      .describe("When deletion was asked for; the object goes when no finalizer is left."),
    deletionGracePeriodSeconds: z.int().optional().describe("Always 0 here."),
    labels: labels.optional().describe("Keys and values to select objects by."),
    annotations: labels.optional().describe("Keys and values that tools keep with the object."),
    finalizers: z
      .array(z.string())
      .meta({ "x-kubernetes-list-type": "set" })
      .optional()
      .describe("Who has something to do before the object may go."),
    ownerReferences: mapList(z.array(ownerReference), "uid")
      .optional()
      .describe("The objects that this one belongs to; it is deleted when none of them is left."),
    managedFields: z.array(z.unknown()).optional().describe("Who manages which field, for server-side apply."),
    selfLink: z.string().optional().describe("Out of use; ignored."),
  })
  .describe("What all objects have in common: name, labels, owners, and what the server keeps about them.");

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
  /** Who manages which field; kept by admission. */
  readonly managedFields?: readonly Readonly<Record<string, unknown>>[] | undefined;
}

export const condition = z.strictObject({
  type: z.string().describe("What is or is not so."),
  status: z.enum(["True", "False", "Unknown"]).describe("Whether it is so."),
  reason: z.string().describe("Why, as one word for programs."),
  message: z.string().describe("Why, as a sentence for people."),
  observedGeneration: z.int().describe("The generation of the spec that this is about."),
  lastTransitionTime: z.string().describe("When status last changed."),
});
/** The conditions of a status, one of each type. */
export const conditions = mapList(z.array(condition), "type").describe("What is true of the object now.");
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
  /** Shows how many members the value has, in its place. */
  readonly count?: true;
  readonly priority?: 0 | 1;
  readonly description?: string;
}

/** Something that can be read below an object, beside its status: `workflowruns/NAME/log`. */
export interface Subresource {
  readonly name: string;
  readonly contentType: string;
  /** One sentence. */
  readonly description: string;
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
  /** Encrypted in the database. */
  readonly confidential?: true;
  readonly subresources?: readonly Subresource[];
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

/** Holds an object that is being deleted until its dependents are gone. */
export const FOREGROUND_FINALIZER = "foregroundDeletion";
/** Holds an object that is being deleted until its dependents have lost it as an owner. */
export const ORPHAN_FINALIZER = "orphan";

export function findCondition(
  object: { readonly status?: { readonly conditions?: readonly Condition[] | undefined } | undefined },
  type: string,
): Condition | undefined {
  return object.status?.conditions?.find((each) => each.type === type);
}

export const GROUP = "fly.lightfast.ai";
export const VERSION = "v1";
export const API_VERSION = `${GROUP}/${VERSION}`;
