// Objects as the server serves them, no more of their shape than the verbs look at.

export interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly managedFields?: unknown;
}

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly observedGeneration?: number;
  readonly lastTransitionTime?: string;
}

export interface ApiObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
  readonly spec?: Json;
  readonly status?: { readonly conditions?: readonly Condition[] } & Record<string, unknown>;
}

export interface ObjectList<T = ApiObject> {
  readonly kind: string;
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items: readonly T[];
}

export type Json = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The condition, if the controller has seen the spec that is stored now; an older verdict says nothing about it. */
export function currentCondition(object: ApiObject, type: string): Condition | undefined {
  const found = object.status?.conditions?.find((each) => each.type.toLowerCase() === type.toLowerCase());
  if (!found) return undefined;
  const seen = found.observedGeneration;
  return seen !== undefined && object.metadata.generation !== undefined && seen < object.metadata.generation
    ? undefined
    : found;
}
