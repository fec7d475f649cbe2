// A namespace that is being deleted is emptied first: nothing new comes in (admission sees to that), what is in it is deleted
// with all that its kinds have to do for it, its Events last, and then it goes.
import { eventKind } from "../../crds/event.ts";
import { NAMESPACE_FINALIZER, type Namespace, namespaceKind } from "../../crds/namespace.ts";
import type { KindDef } from "../../crds/resource.ts";
import type { Admission } from "../admission/admission.ts";
import { dropFinalizer, ifThere } from "../runtime/finalizer.ts";
import type { Reconciler } from "../runtime/reconciler.ts";
import type { Store } from "../store/store.ts";

export interface NamespaceOptions {
  readonly store: Store;
  readonly admission: Admission;
  readonly kinds: readonly KindDef[];
}

/** What is in it goes by itself from here on; this is how often it is looked at. */
const LOOK_AGAIN_MS = 1000;

export function createNamespaceReconciler({ store, admission, kinds }: NamespaceOptions): Reconciler<Namespace> {
  const held = kinds.filter((kind) => kind.scope === "Namespaced" && kind !== eventKind);

  /** How many objects there still are. */
  async function empty(kind: KindDef, namespace: string): Promise<number> {
    const { items } = await store.list(kind, { namespace });
    for (const { metadata } of items) {
      if (metadata.deletionTimestamp !== undefined) continue;
      await ifThere(admission.delete(kind, { namespace, name: metadata.name }, { uid: metadata.uid }));
    }
    return items.length;
  }

  return {
    kind: namespaceKind,
    async reconcile(namespace) {
      const { name, deletionTimestamp } = namespace.metadata;
      if (deletionTimestamp === undefined) return {};
      let left = 0;
      for (const kind of held) left += await empty(kind, name);
      // Once more after the last deletion, which may have left Events.
      if (left > 0 || (await empty(eventKind, name)) > 0) return { requeueAfterMs: LOOK_AGAIN_MS };
      await dropFinalizer(admission, namespaceKind, namespace, NAMESPACE_FINALIZER);
      return {};
    },
  };
}
