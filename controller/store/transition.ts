// What a write makes of an object: the rules of Kubernetes for metadata, generation, status and deletion, as pure
// functions of the stored object and the wish. The store gives the result its revision.
import type { AnyResource, KindDef, ObjectMeta } from "../../crds/resource.ts";
import { jsonEqual } from "../kernel/json.ts";
import { BadRequestError, FieldForbiddenError, StaleWriteError } from "./errors.ts";
import type { DeleteOptions, Key, Precondition } from "./store.ts";

/** Any object with the members it may have beside apiVersion, kind and metadata. */
export interface Stored extends AnyResource {
  readonly [member: string]: unknown;
}

export type Transition =
  | { readonly type: "unchanged" }
  /** The object goes on, in this state. */
  | { readonly type: "changed"; readonly object: Stored }
  /** The object is gone; this was its last state. */
  | { readonly type: "removed"; readonly object: Stored };

const UNCHANGED: Transition = { type: "unchanged" };

/** What the store assigns to a new object. */
export interface Identity {
  readonly name: string;
  readonly uid: string;
  readonly creationTimestamp: string;
}

/** What a draft or an update brings along in these is ignored. */
const ASSIGNED = [
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "selfLink",
] as const;

export function created(draft: Stored, identity: Identity): Stored {
  return withMetadata(draft, { ...identity, resourceVersion: "", generation: 1 });
}

/** `next` is the whole wish; its status is ignored. */
export function updated(kind: KindDef, current: Stored, next: Stored): Transition {
  refuseOtherIdentity(kind, current, next);
  const finalizers = next.metadata.finalizers ?? [];
  if (current.metadata.deletionTimestamp !== undefined) {
    refuseNewFinalizers(kind, current, finalizers);
    if (finalizers.length === 0) return { type: "removed", object: merged(current, next) };
  }
  const object = merged(current, next);
  return jsonEqual(object, current) ? UNCHANGED : { type: "changed", object };
}

export function statusUpdated(
  current: Stored,
  status: unknown,
  managedFields = current.metadata.managedFields,
): Transition {
  const kept = managedFields?.length ? managedFields : undefined;
  if (jsonEqual(status, current.status) && jsonEqual(kept, current.metadata.managedFields)) return UNCHANGED;
  const { status: _replaced, ...rest } = current;
  const metadata = { ...rest.metadata, managedFields: kept };
  return { type: "changed", object: { ...rest, metadata, ...(status === undefined ? {} : { status }) } };
}

/** `at` is the time of the deletion, RFC 3339; `hold` and `status` are what comes with it, if the object stays. */
export function deleted(
  current: Stored,
  at: string,
  { hold, status }: Pick<DeleteOptions, "hold" | "status"> = {},
): Transition {
  const { metadata } = current;
  if (metadata.deletionTimestamp !== undefined && metadata.finalizers?.length) return UNCHANGED;
  const finalizers = [...new Set([...(metadata.finalizers ?? []), ...(hold === undefined ? [] : [hold])])];
  if (finalizers.length === 0) return { type: "removed", object: current };
  const marked: ObjectMeta = {
    ...metadata,
    finalizers,
    deletionTimestamp: at,
    deletionGracePeriodSeconds: 0,
    generation: metadata.generation + 1,
  };
  return { type: "changed", object: { ...current, metadata: marked, ...(status === undefined ? {} : { status }) } };
}

/** StaleWriteError when the writer has decided on another object, or on another state of it. */
export function checkPreconditions(kind: KindDef, current: Stored, wanted: Precondition): void {
  const { uid, resourceVersion } = current.metadata;
  if (wanted.uid && wanted.uid !== uid) {
    throw stale(kind, current, `Precondition failed: UID in precondition: ${wanted.uid}, UID in object meta: ${uid}`);
  }
  if (wanted.resourceVersion && wanted.resourceVersion !== resourceVersion) {
    throw stale(
      kind,
      current,
      "the object has been modified; please apply your changes to the latest version and try again",
    );
  }
}

/** The next object: the wish, with the status and the assigned metadata of the current one. */
function merged(current: Stored, next: Stored): Stored {
  const { status: _ignored, ...wish } = next;
  const assigned = Object.fromEntries(ASSIGNED.map((name) => [name, current.metadata[name as keyof ObjectMeta]]));
  const status = current.status === undefined ? {} : { status: current.status };
  const object = withMetadata({ ...wish, ...status } as Stored, assigned); // the spread keeps apiVersion, kind and metadata
  if (sameBesideMetadata(current, object)) return object;
  return { ...object, metadata: { ...object.metadata, generation: current.metadata.generation + 1 } };
}

function sameBesideMetadata(a: Stored, b: Stored): boolean {
  return jsonEqual({ ...a, metadata: undefined, status: undefined }, { ...b, metadata: undefined, status: undefined });
}

/** The object with `assigned` in place of what it brought along, and without members that say nothing. */
function withMetadata(object: Stored, assigned: Partial<ObjectMeta>): Stored {
  const ignored: readonly string[] = ASSIGNED;
  const own = Object.entries(object.metadata).filter(([name]) => !ignored.includes(name));
  const members = [...own, ...Object.entries(assigned)].filter(([, value]) => !saysNothing(value));
  // The callers assign what ObjectMeta wants beyond a draft's metadata.
  return { ...object, metadata: Object.fromEntries(members) as unknown as ObjectMeta };
}

/** Kubernetes omits empty labels, annotations and lists. */
function saysNothing(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === "object" && Object.keys(value).length === 0);
}

function refuseOtherIdentity(kind: KindDef, current: Stored, next: Stored): void {
  for (const member of ["apiVersion", "kind"] as const) {
    if (next[member] !== current[member]) throw immutable(member, next[member], current[member]);
  }
  for (const member of ["name", "namespace"] as const) {
    const [now, then] = [next.metadata[member], current.metadata[member]];
    if (now !== then) throw immutable(`metadata.${member}`, now, then);
  }
  checkPreconditions(kind, current, next.metadata);
}

function immutable(field: string, next: string | undefined, current: string | undefined): BadRequestError {
  return new BadRequestError(
    `${field}: the object has ${JSON.stringify(current)} and cannot be renamed to ${JSON.stringify(next)}; create another one`,
  );
}

/** An object that is being deleted may still change, but nothing new may hold it. */
function refuseNewFinalizers(kind: KindDef, current: Stored, finalizers: readonly string[]): void {
  const added = finalizers.filter((each) => !current.metadata.finalizers?.includes(each));
  if (added.length === 0) return;
  throw new FieldForbiddenError(
    kind,
    current.metadata,
    "metadata.finalizers",
    `no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`,
  );
}

function stale(kind: KindDef, { metadata }: Stored, detail: string): StaleWriteError {
  const key: Key = { namespace: metadata.namespace, name: metadata.name };
  return new StaleWriteError(kind, key, detail);
}
