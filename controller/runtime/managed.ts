// The loop body that every kind with something outside shares: keep the finalizer, observe, then create, update or
// delete, and write status once. `External` says how; this says when.
import type { AnyResource, KindDef } from "../../crds/resource.ts";
import type { Admission } from "../admission/admission.ts";
import { jsonEqual } from "../kernel/json.ts";
import type { Key, Store } from "../store/store.ts";
import { dropFinalizer, keepFinalizer } from "./finalizer.ts";
import type { ReconcileResult, Reconciler } from "./reconciler.ts";

export type Observation<Seen> =
  /** Nothing can be said now, so nothing may be done. */
  | {
      readonly state: "Unknown";
      readonly message: string;
      readonly retryAfterMs: number;
      /** Nothing has been looked at yet: what status says stands. */
      readonly unread?: boolean;
    }
  /** Confirmed: nothing is there, and nothing that was asked for can still appear. */
  | { readonly state: "Absent" }
  | { readonly state: "Present"; readonly seen: Seen };

export interface Outcome<Status> extends ReconcileResult {
  readonly status: Status;
}

type StatusOf<R> = R extends { readonly status?: infer S | undefined } ? S : never;

/** The thing outside. `observe` never changes it; create finding itself is success; delete of nothing is success. */
export interface External<R extends AnyResource, Seen> {
  observe(object: R, signal: AbortSignal): Promise<Observation<Seen>>;
  /** `commit` makes an intent durable before the call that it tells of. */
  create(object: R, commit: (status: StatusOf<R>) => Promise<R>, signal: AbortSignal): Promise<Outcome<StatusOf<R>>>;
  update(object: R, seen: Seen, signal: AbortSignal): Promise<Outcome<StatusOf<R>>>;
  delete(object: R, seen: Seen, signal: AbortSignal): Promise<Outcome<StatusOf<R>>>;
  /** Status while nothing is known. */
  unknown(object: R, observation: Extract<Observation<Seen>, { state: "Unknown" }>): StatusOf<R>;
}

export interface ManagedOptions<R extends AnyResource, Seen> {
  readonly kind: KindDef<R>;
  readonly finalizer: string;
  readonly store: Store;
  readonly admission: Admission;
  readonly external: External<R, Seen>;
  forget?(uid: string): void;
}

export function managed<R extends AnyResource, Seen>(options: ManagedOptions<R, Seen>): Reconciler<R> {
  const { kind, finalizer, store, admission, external } = options;

  async function reconcile(found: R, signal: AbortSignal): Promise<ReconcileResult> {
    const deleting = found.metadata.deletionTimestamp !== undefined;
    if (deleting && !found.metadata.finalizers?.includes(finalizer)) return {};
    let object = deleting ? found : await keepFinalizer(admission, kind, found, finalizer);

    const commit = async (status: StatusOf<R>) => {
      object = await writeStatus(object, status);
      return object;
    };
    const observation = await external.observe(object, signal);
    const outcome = await act(object, observation, deleting, commit, signal);
    if (outcome === "removed") return {};
    if ("postponedMs" in outcome) return { requeueAfterMs: outcome.postponedMs };
    await writeStatus(object, outcome.status);
    return { requeueAfterMs: outcome.requeueAfterMs };
  }

  async function act(
    object: R,
    observation: Observation<Seen>,
    deleting: boolean,
    commit: (status: StatusOf<R>) => Promise<R>,
    signal: AbortSignal,
  ): Promise<Outcome<StatusOf<R>> | { readonly postponedMs: number } | "removed"> {
    switch (observation.state) {
      case "Unknown":
        if (observation.unread) return { postponedMs: observation.retryAfterMs };
        return { status: external.unknown(object, observation), requeueAfterMs: observation.retryAfterMs };
      case "Absent":
        if (!deleting) return external.create(object, commit, signal);
        await dropFinalizer(admission, kind, object, finalizer);
        return "removed";
      case "Present":
        return deleting
          ? external.delete(object, observation.seen, signal)
          : external.update(object, observation.seen, signal);
    }
  }

  async function writeStatus(object: R, status: StatusOf<R>): Promise<R> {
    const current = "status" in object ? object.status : undefined;
    if (jsonEqual(current ?? {}, status)) return object;
    return store.updateStatus(kind, keyOf(object), () => status, {
      uid: object.metadata.uid,
      resourceVersion: object.metadata.resourceVersion,
    });
  }

  return options.forget ? { kind, reconcile, forget: options.forget } : { kind, reconcile };
}

function keyOf({ metadata }: AnyResource): Key {
  return { namespace: metadata.namespace, name: metadata.name };
}
