// Who manages which field of the objects of a kind (metadata.managedFields), kept for every write that names its writer, inside
// the writing transaction. Controllers name none: they write status and finalizers only, which nobody applies against them.
import { memberSchemas } from "../../crds/definition.ts";
import { type AnyResource, apiVersionOf, type KindDef, objectMeta } from "../../crds/resource.ts";
import { type StructuralSchema, structuralSchema } from "../../crds/structural-schema.ts";
import { isJsonObject, type JsonObject } from "../kernel/json.ts";
import { apply, ownersAfter, type Result } from "../store/apply/apply.ts";
import { formatManagedFields, type Owner, parseManagedFields, type Writer } from "../store/apply/managed-fields.ts";
import { ListError } from "../store/apply/shape.ts";
import { type FieldWriter, InvalidError } from "./admission.ts";
import { invalidValue } from "./causes.ts";

export type ManagedFields = readonly JsonObject[] | undefined;

export interface Applied {
  readonly object: JsonObject;
  readonly managedFields: ManagedFields;
}

export interface FieldOwners {
  created(object: object, writer: FieldWriter): ManagedFields;
  /** `given` is what the writer wants managedFields to be, for whoever hands fields over; mostly what is stored. */
  updated(current: AnyResource, next: AnyResource, given: unknown, writer: FieldWriter): ManagedFields;
  statusUpdated(current: AnyResource, status: unknown, writer: FieldWriter): ManagedFields;
  /** The object without its status. ApplyConflictError when others manage what `wanted` changes, unless forced. */
  applied(current: AnyResource | undefined, wanted: JsonObject, writer: FieldWriter, force: boolean): Applied;
  /** `object` has no more than the status. */
  statusApplied(current: AnyResource, wanted: JsonObject, writer: FieldWriter, force: boolean): Applied;
}

/** Manages what was there before anything was applied to an object that nobody manages, as in Kubernetes. */
const BEFORE_FIRST_APPLY = "before-first-apply";

export function fieldOwners(kind: KindDef): FieldOwners {
  const apiVersion = apiVersionOf(kind);
  let made: StructuralSchema | undefined;
  /** Made when the first write needs it: a program that only reads goes without. */
  const schema = () => {
    made ??= schemaOf(kind);
    return made;
  };
  const by = ({ manager }: FieldWriter, operation: Writer["operation"], subresource?: string): Writer => ({
    manager,
    operation,
    apiVersion,
    subresource,
  });

  function after(before: JsonObject, now: JsonObject, owners: readonly Owner[], writer: Writer, time: string) {
    return formatManagedFields(ownersAfter({ before, after: now, schema: schema(), owners, writer, time }));
  }

  function applyTo(
    live: JsonObject,
    wanted: JsonObject,
    owners: readonly Owner[],
    writer: Writer,
    options: { readonly time: string; readonly force: boolean },
  ): Applied {
    const result = withListCauses(kind, wanted, () =>
      apply({ live, wanted, schema: schema(), owners, writer, ...options }),
    );
    return { object: result.object, managedFields: formatManagedFields(result.owners) };
  }

  function ownersBefore(current: AnyResource): readonly Owner[] {
    const owners = ownersOf(current);
    if (owners.length > 0) return owners;
    const writer: Writer = { manager: BEFORE_FIRST_APPLY, operation: "Update", apiVersion };
    const time = current.metadata.creationTimestamp;
    return ownersAfter({ before: {}, after: managedPart(current), schema: schema(), owners, writer, time });
  }

  return {
    created: (object, writer) => after({}, managedPart(object), [], by(writer, "Update"), writer.time),
    updated(current, next, given, writer) {
      if (isReset(given)) return [];
      const owners = isAbsent(given) ? ownersOf(current) : givenOwners(kind, current, given);
      return after(managedPart(current), managedPart(next), owners, by(writer, "Update"), writer.time);
    },
    statusUpdated: (current, status, writer) =>
      after(
        statusPart(current),
        statusPart({ status }),
        ownersOf(current),
        by(writer, "Update", "status"),
        writer.time,
      ),
    applied(current, wanted, writer, force) {
      const [live, owners] = current ? [managedPart(current), ownersBefore(current)] : [{}, []];
      return applyTo(live, managedPart(wanted), owners, by(writer, "Apply"), { time: writer.time, force });
    },
    statusApplied: (current, wanted, writer, force) =>
      applyTo(statusPart(current), statusPart(wanted), ownersBefore(current), by(writer, "Apply", "status"), {
        time: writer.time,
        force,
      }),
  };
}

export function withManagedFields<T extends { readonly metadata: object }>(object: T, managedFields: ManagedFields): T {
  return { ...object, metadata: { ...object.metadata, managedFields } };
}

function schemaOf(kind: KindDef): StructuralSchema {
  return { type: "object", properties: { metadata: structuralSchema(objectMeta), ...memberSchemas(kind) } };
}

function ownersOf({ metadata }: AnyResource): readonly Owner[] {
  return parseManagedFields(metadata.managedFields);
}

function givenOwners(kind: KindDef, { metadata }: AnyResource, given: unknown): readonly Owner[] {
  try {
    return parseManagedFields(given);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error;
    const message = invalidValue(given, error.message);
    throw new InvalidError(kind, metadata.name, [
      { reason: "FieldValueInvalid", field: "metadata.managedFields", message },
    ]);
  }
}

function isAbsent(given: unknown): boolean {
  return given === undefined || given === null || (Array.isArray(given) && given.length === 0);
}

/** One empty entry is how Kubernetes lets a client say that nobody is to manage anything. */
function isReset(given: unknown): boolean {
  return Array.isArray(given) && given.length === 1 && isJsonObject(given[0]) && Object.keys(given[0]).length === 0;
}

/** All but what belongs to the status subresource, and the record itself. Objects are JSON. */
function managedPart(object: object): JsonObject {
  const { status: _, metadata, ...members } = object as JsonObject;
  if (!isJsonObject(metadata)) return members;
  const { managedFields: __, ...kept } = metadata;
  return { ...members, metadata: kept };
}

function statusPart(object: object): JsonObject {
  const { status } = object as JsonObject; // objects are JSON
  return status === undefined ? {} : { status };
}

/** Lists in what is applied must be fit to be merged: each item with its key, and none twice. */
function withListCauses(kind: KindDef, wanted: JsonObject, merge: () => Result): Result {
  try {
    return merge();
  } catch (error) {
    if (!(error instanceof ListError)) throw error;
    const name = isJsonObject(wanted.metadata) ? String(wanted.metadata.name ?? "") : "";
    const cause = { reason: "FieldValueInvalid", field: error.path.slice(1), message: error.detail } as const;
    throw new InvalidError(kind, name, [cause]);
  }
}
