// Deletes what its owners have left behind: an object whose every owner is gone goes too. Woken by deletions, and at start
// by a look at everything, because a deletion may have happened while nobody watched.
import type { AnyResource, KindDef, OwnerReference } from "../../crds/resource.ts";
import type { Admission } from "../admission/admission.ts";
import type { Clock } from "../kernel/clock.ts";
import { messageOf } from "../kernel/errors.ts";
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
  const dependents = dependentsIndex();
  await Promise.all(
    kinds.map((kind) =>
      runInformer(
        {
          store,
          kind,
          clock,
          log,
          changed: (object) => {
            dependents.put(kind, object);
            if (object.metadata.ownerReferences?.length) void collect(options, kind, object);
          },
          deleted: (object) => {
            dependents.drop(object);
            for (const each of dependents.of(object.metadata.uid)) void collect(options, each.kind, each.object);
          },
        },
        signal,
      ),
    ),
  );
}

/** Deletes the object if it has owners and none of them exists; finalizers then do their work. */
async function collect(
  { store, admission, kinds, log }: GarbageOptions,
  kind: KindDef,
  object: AnyResource,
): Promise<void> {
  const { metadata } = object;
  if (metadata.deletionTimestamp !== undefined || !metadata.ownerReferences?.length) return;
  try {
    const owners = await Promise.all(metadata.ownerReferences.map((owner) => ownerExists(store, kinds, owner)));
    if (owners.some(Boolean)) return;
    // The revision guards against an owner that was taken away or added since.
    await admission.delete(
      kind,
      { namespace: metadata.namespace, name: metadata.name },
      { uid: metadata.uid, resourceVersion: metadata.resourceVersion },
    );
    log.info({ kind: kind.kind, name: metadata.name, namespace: metadata.namespace }, "deleted: its owners are gone");
  } catch (error) {
    if (error instanceof NotFoundError) return;
    log.debug(
      { kind: kind.kind, name: metadata.name, error: messageOf(error) },
      "not collected now; its next change is looked at again",
    );
  }
}

async function ownerExists(store: Store, kinds: readonly KindDef[], owner: OwnerReference): Promise<boolean> {
  const kind = kinds.find((each) => each.kind === owner.kind);
  if (!kind) return true; // a kind we do not know is not ours to judge
  return (await store.getByUid(kind, owner.uid)) !== undefined;
}

interface Dependent {
  readonly kind: KindDef;
  readonly object: AnyResource;
}

function dependentsIndex() {
  const byUid = new Map<string, Dependent>();
  const byOwner = new Map<string, Set<string>>();
  return {
    put(kind: KindDef, object: AnyResource): void {
      const { uid, ownerReferences = [] } = object.metadata;
      if (ownerReferences.length === 0) return;
      byUid.set(uid, { kind, object });
      for (const owner of ownerReferences) {
        const uids = byOwner.get(owner.uid) ?? new Set();
        byOwner.set(owner.uid, uids.add(uid));
      }
    },
    drop({ metadata }: AnyResource): void {
      byUid.delete(metadata.uid);
      for (const owner of metadata.ownerReferences ?? []) byOwner.get(owner.uid)?.delete(metadata.uid);
    },
    of(ownerUid: string): Dependent[] {
      const uids = byOwner.get(ownerUid) ?? new Set<string>();
      byOwner.delete(ownerUid);
      return [...uids].flatMap((uid) => byUid.get(uid) ?? []);
    },
  };
}
