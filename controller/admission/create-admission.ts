// The door itself: parse once, fill in, check, and hand the store a complete object inside its transaction.
import { NAMESPACE_FINALIZER, namespaceKind } from "../../crds/namespace.ts";
import {
  type AnyResource,
  FOREGROUND_FINALIZER,
  type KindDef,
  NAME_MAX,
  ORPHAN_FINALIZER,
} from "../../crds/resource.ts";
import { assert } from "../kernel/errors.ts";
import { isJsonObject, type JsonObject } from "../kernel/json.ts";
import { nameSuffix, type Random } from "../kernel/random.ts";
import { AlreadyExistsError, BadRequestError, NotFoundError, StaleWriteError } from "../store/errors.ts";
import type { Draft, Key, Store, View } from "../store/store.ts";
import type {
  Admission,
  AdmissionOptions,
  ApplyOptions,
  Cause,
  DeletionOptions,
  Former,
  Propagation,
  SpecDefaults,
} from "./admission.ts";
import { admitNext, type Door, refuse, written } from "./admit-next.ts";
import { fieldOwners, type ManagedFields, withManagedFields } from "./field-owners.ts";
import { kindSchema, type Parsed, requireType } from "./kind-schema.ts";
import { metadataCauses, SUFFIX_LENGTH } from "./metadata-rules.ts";
import { refuseToLoseDefault, requireNamespace } from "./namespace-rules.ts";
import { rulesOf } from "./rules.ts";

export interface AdmissionParts {
  readonly store: Store;
  readonly kinds: readonly KindDef[];
  readonly defaults: SpecDefaults;
  readonly random: Random;
}

const HOLDS: Readonly<Record<Propagation, string | undefined>> = {
  Background: undefined,
  Foreground: FOREGROUND_FINALIZER,
  Orphan: ORPHAN_FINALIZER,
};

/** A generated name that is taken is drawn again, as in Kubernetes; 27^5 names make a second clash unlikely. */
const GENERATED_NAME_TRIES = 8;

/** Somebody else may create or delete the object between the look for it and its creation; not for ever, though. */
const APPLY_TRIES = 5;

export function createAdmission({ store, kinds, defaults, random }: AdmissionParts): Admission {
  const doors = new Map<KindDef, Door>(
    kinds.map((kind) => [
      kind,
      { kind, schema: kindSchema(kind), owners: fieldOwners(kind), rules: rulesOf(kind), defaults },
    ]),
  );
  const doorOf = (kind: KindDef) => {
    const door = doors.get(kind);
    assert(door, `kind ${kind.kind} is not registered with admission`);
    return door;
  };

  async function create<R extends AnyResource>(
    kind: KindDef<R>,
    object: unknown,
    options: AdmissionOptions & { readonly former?: Former | undefined },
    managedFields: (draft: object) => ManagedFields,
  ): Promise<R> {
    const { former } = options;
    const door = doorOf(kind);
    const admitted = admitNew(door, object, options);
    for (let attempt = 1; ; attempt++) {
      const unmanaged = again(door, named(kind, admitted, random), former, options);
      const draft = withManagedFields(unmanaged, managedFields(unmanaged));
      try {
        return await store.create(kind, (view) => related(door, draft, view), { ...options, uid: former?.uid });
      } catch (error) {
        const clash = error instanceof AlreadyExistsError && !admitted.metadata.name;
        if (!clash || attempt === GENERATED_NAME_TRIES) throw error;
      }
    }
  }

  function applyToStored<R extends AnyResource>(
    kind: KindDef<R>,
    key: Key,
    wanted: JsonObject,
    options: ApplyOptions,
  ): Promise<R> {
    const door = doorOf(kind);
    return store.update(
      kind,
      key,
      (current) => {
        const { object, managedFields } = door.owners.applied(current, wanted, options.writer, options.force);
        return withManagedFields(admitNext(door, current, object, options), managedFields);
      },
      options,
    );
  }

  async function createApplied<R extends AnyResource>(
    kind: KindDef<R>,
    key: Key,
    wanted: JsonObject,
    options: ApplyOptions,
  ): Promise<R> {
    if (options.uid !== undefined || options.resourceVersion !== undefined) {
      throw new StaleWriteError(kind, key, "Precondition failed: there is no object with this uid or resourceVersion");
    }
    const { object, managedFields } = doorOf(kind).owners.applied(undefined, wanted, options.writer, options.force);
    return create(kind, object, options, () => managedFields);
  }

  return {
    create(kind, object, options = {}) {
      const { writer } = options;
      const { owners } = doorOf(kind);
      return create(kind, object, options, (draft) => (writer ? owners.created(draft, writer) : undefined));
    },

    async update(kind, key, change, options = {}) {
      const { writer } = options;
      const door = doorOf(kind);
      const admit = (current: AnyResource, input: unknown) => {
        const next = admitNext(door, current, input, options);
        return writer ? withManagedFields(next, door.owners.updated(current, next, givenTo(input), writer)) : next;
      };
      return store.update(kind, key, (current) => admit(current, change(current)), options);
    },

    async updateStatus(kind, key, change, { writer, ...options } = {}) {
      const { schema, owners } = doorOf(kind);
      return store.updateStatus(
        kind,
        key,
        (current) => schema.parseStatus(change(current), current.metadata.name, options),
        {
          ...options,
          ...(writer ? { managedFields: (current, status) => owners.statusUpdated(current, status, writer) } : {}),
        },
      );
    },

    async apply<R extends AnyResource>(kind: KindDef<R>, key: Key, wanted: JsonObject, options: ApplyOptions) {
      requireType(kind, wanted);
      for (let attempt = 1; ; attempt++) {
        try {
          return { object: await applyToStored(kind, key, wanted, options), created: false };
        } catch (error) {
          if (!(error instanceof NotFoundError)) throw error;
        }
        try {
          return { object: await createApplied(kind, key, wanted, options), created: true };
        } catch (error) {
          if (!(error instanceof AlreadyExistsError) || attempt === APPLY_TRIES) throw error;
        }
      }
    },

    async applyStatus(kind, key, wanted, options) {
      requireType(kind, wanted);
      const { schema, owners } = doorOf(kind);
      const applied = (current: AnyResource) => owners.statusApplied(current, wanted, options.writer, options.force);
      return store.updateStatus(
        kind,
        key,
        (current) => schema.parseStatus(applied(current).object.status, current.metadata.name, options),
        { ...options, managedFields: (current) => applied(current).managedFields },
      );
    },

    async delete<R extends AnyResource>(
      kind: KindDef<R>,
      key: Key,
      { propagation = "Background", ...options }: DeletionOptions = {},
    ): Promise<R> {
      if (isNamespaceKind(kind)) refuseToLoseDefault(key.name);
      if (!isNamespaceKind(kind)) return store.delete(kind, key, { ...options, hold: HOLDS[propagation] });
      return store.delete(kind, key, { ...options, hold: NAMESPACE_FINALIZER, status: { phase: "Terminating" } });
    },
  };
}

function admitNew({ kind, schema, rules, defaults }: Door, input: unknown, options: AdmissionOptions): Parsed {
  const parsed = schema.parse(input, options);
  if (parsed.metadata.resourceVersion) {
    throw new BadRequestError("resourceVersion should not be set on objects to be created; remove it from metadata");
  }
  const object = { ...parsed, ...rules.fill?.(parsed, undefined, defaults) } as Parsed;
  refuse(kind, object.metadata.name ?? object.metadata.generateName ?? "", [
    ...metadataCauses(kind, object.metadata),
    ...scopeCauses(kind, object),
    ...(rules.check?.(object, undefined) ?? []),
  ]);
  return object;
}

/** What the writer wants metadata.managedFields to be. */
function givenTo(input: unknown): unknown {
  return isJsonObject(input) && isJsonObject(input.metadata) ? input.metadata.managedFields : undefined;
}

/** Only what a client may say of metadata; the store assigns the rest. */
function named(kind: KindDef, object: Parsed, random: Random): Draft & JsonObject {
  const { name, generateName, namespace, labels, annotations, finalizers, ownerReferences } = object.metadata;
  const metadata = {
    name: name || generatedName(generateName ?? "", random),
    ...(name || generateName === undefined ? {} : { generateName }),
    ...(kind.scope === "Namespaced" ? { namespace } : {}),
    ...written({ labels, annotations, finalizers, ownerReferences }),
  };
  const status = isNamespaceKind(kind) ? { status: { phase: "Active" } } : {};
  // JSON by construction: it was parsed from JSON by a schema of JSON types.
  return { ...object, metadata, ...status } as Draft as Draft & JsonObject;
}

function again(
  { schema }: Door,
  draft: Draft & JsonObject,
  former: Former | undefined,
  options: AdmissionOptions,
): Draft & JsonObject {
  if (!former) return draft;
  // What the schema of a status answers is JSON.
  return { ...draft, status: schema.parseStatus(former.status, draft.metadata.name, options) as JsonObject };
}

function related({ kind, rules }: Door, draft: Draft & JsonObject, view: View): Draft & JsonObject {
  const { name, namespace } = draft.metadata;
  if (namespace !== undefined) requireNamespace(kind, name, namespace, view);
  refuse(kind, name, rules.relate?.(draft, view) ?? []);
  return draft;
}

function scopeCauses(kind: KindDef, { metadata }: Parsed): Cause[] {
  const field = "metadata.namespace";
  if (kind.scope === "Namespaced" && !metadata.namespace) {
    return [{ reason: "FieldValueRequired", field, message: `Required value: ${kind.plural} live in a namespace` }];
  }
  if (kind.scope === "Cluster" && metadata.namespace) {
    return [{ reason: "FieldValueForbidden", field, message: `Forbidden: ${kind.plural} are not in a namespace` }];
  }
  return [];
}

function generatedName(base: string, random: Random): string {
  return `${base.slice(0, NAME_MAX - SUFFIX_LENGTH)}${nameSuffix(random, SUFFIX_LENGTH)}`;
}

function isNamespaceKind(kind: KindDef): boolean {
  return kind.kind === namespaceKind.kind && kind.group === namespaceKind.group;
}
