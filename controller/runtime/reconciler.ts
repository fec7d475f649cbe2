// What the runtime asks of a reconciler: bring one object, named, to where its spec wants it, and say when to look again.
import type { AnyResource, KindDef } from "../../crds/resource.ts";

export interface ReconcileResult {
  /** Look again after this long even if nothing changes. */
  readonly requeueAfterMs?: number | undefined;
}

export interface Reconciler<R extends AnyResource> {
  readonly kind: KindDef<R>;
  /** `object` was read from the store just now. Throw to be tried again with backoff. */
  reconcile(object: R, signal: AbortSignal): Promise<ReconcileResult>;
  /** The object is gone from the store: release what is remembered of it. */
  forget?(uid: string): void;
}

/** Makes other kinds wake this one: a change of `kind` enqueues the names that `names` gives. */
export interface Trigger {
  readonly kind: KindDef;
  names(object: AnyResource): readonly { readonly namespace?: string | undefined; readonly name: string }[];
}
