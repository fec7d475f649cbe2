// From one state of an object to the next: what may change, on which state the change was decided, and what stays.
import type { AnyResource, KindDef } from "../../crds/resource.ts";
import { isJsonObject, jsonEqual } from "../kernel/json.ts";
import { type AdmissionOptions, type Cause, InvalidError, type SpecDefaults } from "./admission.ts";
import { invalidValue } from "./causes.ts";
import type { FieldOwners } from "./field-owners.ts";
import { immutableCauses } from "./immutable.ts";
import type { KindRules } from "./kind-rules.ts";
import type { KindSchema, Parsed } from "./kind-schema.ts";
import { metadataCauses } from "./metadata-rules.ts";

/** All that admission knows of a kind, made once. */
export interface Door {
  readonly kind: KindDef;
  readonly schema: KindSchema;
  readonly owners: FieldOwners;
  readonly rules: KindRules;
  readonly defaults: SpecDefaults;
}

/** The whole next object, status and system metadata included, or a refusal with every cause. */
export function admitNext(door: Door, current: AnyResource, input: unknown, options: AdmissionOptions): AnyResource {
  const { kind, schema, rules, defaults } = door;
  // What was admitted once stays admitted: rules that came later must not keep a finalizer from being removed.
  const bodyKept = isJsonObject(input) && jsonEqual(bodyOf(input), bodyOf(current));
  const parsed = bodyKept ? schema.parseMetadata(input, options) : schema.parse(input, options);
  const object = bodyKept ? parsed : ({ ...parsed, ...rules.fill?.(parsed, current, defaults) } as Parsed);
  refuse(kind, current.metadata.name, [
    ...metadataCauses(kind, { ...object.metadata, name: current.metadata.name }),
    ...identityCauses(object, current),
    ...(bodyKept ? [] : immutableCauses(kind, rules, object, current)),
    ...(bodyKept ? [] : (rules.check?.(object, current) ?? [])),
  ]);
  return assemble(object, current);
}

export function refuse(kind: KindDef, name: string, causes: readonly Cause[]): void {
  if (causes.length > 0) throw new InvalidError(kind, name, causes);
}

/** Without what is absent or empty, as it would be written by hand. */
export function written<T extends Readonly<Record<string, object | undefined>>>(members: T): Partial<T> {
  // The members that are left keep their types.
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== undefined && Object.keys(value).length > 0),
  ) as Partial<T>;
}

function assemble(object: Parsed, current: AnyResource): AnyResource {
  const { labels, annotations, finalizers, ownerReferences, uid, resourceVersion } = object.metadata;
  const { labels: _l, annotations: _a, finalizers: _f, ownerReferences: _o, ...kept } = current.metadata;
  const metadata = {
    ...kept,
    // What the writer has read, if it says so; the store refuses a write that was decided on another state.
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion ? { resourceVersion } : {}),
    ...written({ labels, annotations, finalizers, ownerReferences }),
  };
  return { ...object, metadata, ...("status" in current ? { status: current.status } : {}) };
}

function bodyOf(object: object): object {
  const { metadata: _, status: __, ...body } = object as { readonly metadata?: unknown; readonly status?: unknown };
  return body;
}

function identityCauses({ metadata }: Parsed, current: AnyResource): Cause[] {
  return (["name", "namespace"] as const)
    .filter((key) => metadata[key] !== undefined && metadata[key] !== current.metadata[key])
    .map((key) => ({
      reason: "FieldValueInvalid",
      field: `metadata.${key}`,
      message: invalidValue(metadata[key], `field is immutable: it is ${JSON.stringify(current.metadata[key])}`),
    }));
}
