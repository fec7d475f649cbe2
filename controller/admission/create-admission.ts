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
import type { JsonObject } from "../kernel/json.ts";
import { nameSuffix, type Random } from "../kernel/random.ts";
import { AlreadyExistsError, BadRequestError } from "../store/errors.ts";
import type { Draft, Key, Store, View } from "../store/store.ts";
import type {
  Admission,
  AdmissionOptions,
  Cause,
  DeletionOptions,
  Former,
  Propagation,
  SpecDefaults,
} from "./admission.ts";
import { admitNext, type Door, refuse, written } from "./admit-next.ts";
import { kindSchema, type Parsed } from "./kind-schema.ts";
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

export function createAdmission({ store, kinds, defaults, random }: AdmissionParts): Admission {
  const doors = new Map<KindDef, Door>(
    kinds.map((kind) => [kind, { kind, schema: kindSchema(kind), rules: rulesOf(kind), defaults }]),
  );
  const doorOf = (kind: KindDef) => {
    const door = doors.get(kind);
    assert(door, `kind ${kind.kind} is not registered with admission`);
    return door;
  };

  return {
    async create<R extends AnyResource>(
      kind: KindDef<R>,
      object: unknown,
      { former, ...options }: AdmissionOptions & { readonly former?: Former } = {},
    ): Promise<R> {
      const door = doorOf(kind);
      const admitted = admitNew(door, object, options);
      for (let attempt = 1; ; attempt++) {
        const draft = again(door, named(kind, admitted, random), former, options);
        try {
          return await store.create(kind, (view) => related(door, draft, view), { ...options, uid: former?.uid });
        } catch (error) {
          const clash = error instanceof AlreadyExistsError && !admitted.metadata.name;
          if (!clash || attempt === GENERATED_NAME_TRIES) throw error;
        }
      }
    },

    async update(kind, key, change, options = {}) {
      const door = doorOf(kind);
      return store.update(kind, key, (current) => admitNext(door, current, change(current), options), options);
    },

    async updateStatus(kind, key, change, options = {}) {
      const door = doorOf(kind);
      return store.updateStatus(
        kind,
        key,
        (current) => door.schema.parseStatus(change(current), current.metadata.name, options),
        options,
      );
    },

    async delete<R extends AnyResource>(
      kind: KindDef<R>,
      key: Key,
      { propagation = "Background", ...options }: DeletionOptions = {},
    ): Promise<R> {
      if (isNamespaceKind(kind)) refuseToLoseDefault(key.name);
      const hold = isNamespaceKind(kind) ? NAMESPACE_FINALIZER : HOLDS[propagation];
      return store.delete(kind, key, { ...options, hold });
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
