// The one door for a spec: whoever writes one (API, GitOps, a reconciler that creates children) comes through here.
// Defaults, validation and the rules between objects are applied inside the writing transaction.
import type { AnyResource, KindDef } from "../../crds/resource.ts";
import type { JsonObject } from "../kernel/json.ts";
import { INVALID_CAUSES_MAX } from "../limits.ts";
import type { Key, Precondition, WriteOptions } from "../store/store.ts";

/** What DEFAULT_* of the environment fill in, once, at create. */
export interface SpecDefaults {
  readonly region: string;
  readonly image: string;
  readonly size: string;
  /** Used only when size is absent too. */
  readonly memoryMb: number;
}

/** How unknown and duplicate fields are treated, as Kubernetes' `fieldValidation`. */
export type FieldValidation = "Strict" | "Warn" | "Ignore";

/** Who writes, for metadata.managedFields. */
export interface FieldWriter {
  /** Such as `kubectl-edit`: what people know the writer by. */
  readonly manager: string;
  /** RFC 3339. */
  readonly time: string;
}

export interface AdmissionOptions extends WriteOptions {
  readonly fieldValidation?: FieldValidation;
  /** Receives what was let through with a warning. */
  readonly warn?: (message: string) => void;
  /** Absent for controllers: who manages which field then stays as it is. */
  readonly writer?: FieldWriter;
}

export interface ApplyOptions extends AdmissionOptions, Precondition {
  readonly writer: FieldWriter;
  /** Takes away from others what they manage otherwise. */
  readonly force: boolean;
}

/** What becomes of an object's dependents: deleted after it, deleted before it, or left without it. */
export type Propagation = "Background" | "Foreground" | "Orphan";

export interface DeletionOptions extends AdmissionOptions, Precondition {
  /** Background when absent. */
  readonly propagation?: Propagation | undefined;
}

/** An object that was lost and is made anew: what the store and the controllers would give it, it has already. */
export interface Former {
  readonly uid: string;
  readonly status: unknown;
}

export interface Admission {
  /** `object` is parsed JSON of unknown shape; name or generateName must be in its metadata. */
  create<R extends AnyResource>(
    kind: KindDef<R>,
    object: unknown,
    options?: AdmissionOptions & { readonly former?: Former },
  ): Promise<R>;
  /** `change` gets the stored object and answers the whole next one; status in it is ignored. */
  update<R extends AnyResource>(
    kind: KindDef<R>,
    key: Key,
    change: (current: R) => unknown,
    options?: AdmissionOptions & Precondition,
  ): Promise<R>;
  /** The status subresource: `change` answers the whole next status, which must fit the kind's schema. */
  updateStatus<R extends AnyResource>(
    kind: KindDef<R>,
    key: Key,
    change: (current: R) => unknown,
    options?: AdmissionOptions & Precondition,
  ): Promise<R>;
  /**
   * Server-side apply: what is wanted, laid over what is there; the object is created when there is none. Throws
   * ApplyConflictError.
   */
  apply<R extends AnyResource>(
    kind: KindDef<R>,
    key: Key,
    wanted: JsonObject,
    options: ApplyOptions,
  ): Promise<{ readonly object: R; readonly created: boolean }>;
  /** The same for the status subresource, of an object that is there. */
  applyStatus<R extends AnyResource>(kind: KindDef<R>, key: Key, wanted: JsonObject, options: ApplyOptions): Promise<R>;
  delete<R extends AnyResource>(kind: KindDef<R>, key: Key, options?: DeletionOptions): Promise<R>;
}

/** One thing that is wrong with an object, in Kubernetes' words for it. */
export interface Cause {
  readonly reason:
    | "FieldValueRequired"
    | "FieldValueInvalid"
    | "FieldValueNotSupported"
    | "FieldValueTypeInvalid"
    | "FieldValueForbidden"
    | "FieldValueTooLong"
    | "UnknownField";
  /** Path such as `spec.steps[2].name`. */
  readonly field: string;
  /** What is wrong and the remedy, without the field. */
  readonly message: string;
}

/** The object breaks its schema or a rule (HTTP 422; unknown fields under Strict: 400). */
export class InvalidError extends Error {
  override readonly name = "InvalidError";
  readonly kind: KindDef;
  readonly objectName: string;
  readonly causes: readonly Cause[];
  constructor(kind: KindDef, objectName: string, causes: readonly Cause[]) {
    const told = causes.slice(0, INVALID_CAUSES_MAX);
    const text = told.map((cause) => `${cause.field}: ${cause.message}`);
    if (told.length < causes.length) text.push(`and ${causes.length - told.length} more`);
    super(
      `${kind.kind}${kind.group === "" ? "" : `.${kind.group}`} "${objectName}" is invalid: ${text.length === 1 ? text[0] : `[${text.join(", ")}]`}`,
    );
    this.kind = kind;
    this.objectName = objectName;
    this.causes = told;
  }
}

/** The object may not be written now or by this caller (HTTP 403). */
export class ForbiddenError extends Error {
  override readonly name = "ForbiddenError";
}
