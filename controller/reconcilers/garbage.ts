// Deletes what its owners have left behind: an object whose every owner is gone goes too. Woken by deletions, and at start
// by a look at everything, because a deletion may have happened while nobody watched.
import type { AnyResource, KindDef, OwnerReference } from "../../crds/resource.ts";
import type { Admission } from "../admission/admission.ts";
import type { Clock } from "../kernel/clock.ts";
import { ConflictError, messageOf } from "../kernel/errors.ts";
import type { Log } from "../kernel/log.ts";
import { runInformer } from "../runtime/informer.ts";
import { NotFoundError } from "../store/errors.ts";
import type { Store } from "../store/store.ts";

export interface GarbageOptions {
  readonly store: Store;
  readonly admission: Admission;
  readonly kinds: readonly KindDef[];
  readonly clock: Clock;
  readonly log: Log;
}

/** Runs until the signal aborts. */
export async function collectGarbage(options: GarbageOptions, signal: AbortSignal): Promise<void> {
  const { store, kinds, clock, log } = options;
  const deleted = (owner: AnyResource) =>
    void collectOf(options, owner).catch((error: unknown) =>
      log.warn({ owner: owner.metadata.name, error: messageOf(error) }, "garbage stays until the next look"),
    );
  await Promise.all(
    kinds.map((kind) => {
      const changed = (object: AnyResource) => {
        if (object.metadata.ownerReferences?.length) void collect(options, kind, object);
      };
      return runInformer({ store, kind, clock, log, changed, deleted }, signal);
    }),
  );
}

async function collectOf(options: GarbageOptions, owner: AnyResource): Promise<void> {
  for (const kind of options.kinds) {
    const { items } = await options.store.list(kind, { owner: owner.metadata.uid });
    await Promise.all(items.map((object) => collect(options, kind, object)));
  }
}

/** Deletes the object if it has owners and none of them exists; finalizers then do their work. */
async function collect(
  { store, admission, kinds, log }: GarbageOptions,
  kind: KindDef,
  object: AnyResource,
): Promise<void> {
  const { metadata } = object;
  const owners = metadata.ownerReferences ?? [];
  if (metadata.deletionTimestamp !== undefined || owners.length === 0) return;
  try {
    const found = await Promise.all(owners.map((owner) => ownerExists(store, kinds, owner)));
    if (found.includes(true)) return;
    // The revision guards against an owner that was taken away or added since.
    await admission.delete(
      kind,
      { namespace: metadata.namespace, name: metadata.name },
      { uid: metadata.uid, resourceVersion: metadata.resourceVersion },
    );
    log.info({ kind: kind.kind, name: metadata.name, namespace: metadata.namespace }, "deleted: its owners are gone");
  } catch (error) {
    // Gone already, or changed: the change is looked at again when the watch shows it.
    if (error instanceof NotFoundError || error instanceof ConflictError) return;
    log.warn({ kind: kind.kind, name: metadata.name, error: messageOf(error) }, "garbage stays until the next look");
  }
}

async function ownerExists(store: Store, kinds: readonly KindDef[], owner: OwnerReference): Promise<boolean> {
  const kind = kinds.find((each) => each.kind === owner.kind);
  if (!kind) return true; // a kind we do not know is not ours to judge
  return (await store.getByUid(kind, owner.uid)) !== undefined;
}
