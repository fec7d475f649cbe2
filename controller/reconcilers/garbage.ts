// Deletes what its owners have left behind, and lets owners go when what depends on them has gone, or has been let go. Woken by
// every change of an owner or a dependent, and at start by a look at everything: it may have happened while nobody watched.
import type { AnyResource, KindDef, OwnerReference } from "../../crds/resource.ts";
import { FOREGROUND_FINALIZER, ORPHAN_FINALIZER, qualifiedResource } from "../../crds/resource.ts";
import type { Admission } from "../admission/admission.ts";
import type { Clock } from "../kernel/clock.ts";
import { ConflictError, messageOf } from "../kernel/errors.ts";
import type { Log } from "../kernel/log.ts";
import type { Random } from "../kernel/random.ts";
import { dropFinalizer, ifThere } from "../runtime/finalizer.ts";
import { runInformer } from "../runtime/informer.ts";
import { createQueue } from "../runtime/queue.ts";
import { everything } from "../store/all-pages.ts";
import type { Key, Store } from "../store/store.ts";
import { blocks, garbagePlan, type OwnerState, ownerState, withoutOwners } from "./garbage-plan.ts";

export interface GarbageOptions {
  readonly store: Store;
  readonly admission: Admission;
  readonly kinds: readonly KindDef[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** An owner that waits for its dependents is looked at this often, although their going wakes it. */
const LOOK_AGAIN_MS = 30_000;
const WORKERS = 4;

/** Runs until the signal aborts. */
export async function collectGarbage(options: GarbageOptions, signal: AbortSignal): Promise<void> {
  const { store, kinds, clock, random, log } = options;
  const queue = createQueue({ clock, random });
  const byResource = new Map(kinds.map((kind) => [qualifiedResource(kind), kind]));
  const wake = (kind: KindDef, key: Key) => queue.add(nameOf(kind, key));
  const wakeOwners = ({ metadata }: AnyResource, owners: readonly OwnerReference[]) => {
    for (const owner of owners) {
      const kind = kinds.find((each) => each.kind === owner.kind);
      const namespace = kind?.scope === "Namespaced" ? metadata.namespace : undefined;
      if (kind) wake(kind, { namespace, name: owner.name });
    }
  };
  const tend = createTender(options, { wake, wakeOwners });

  async function work(): Promise<void> {
    while (!signal.aborted) {
      const name = await queue.take(signal).catch(() => undefined /* aborted: the loop ends */);
      if (name === undefined) return;
      try {
        const [resource = "", key] = partsOf(name);
        const kind = byResource.get(resource);
        const object = kind && (await store.get(kind, key));
        const waits = kind && object ? await tend(kind, object) : false;
        queue.forget(name);
        if (waits) queue.addAfter(name, LOOK_AGAIN_MS);
      } catch (error) {
        if (!(error instanceof ConflictError)) log.warn({ name, error: messageOf(error) }, "garbage; trying again");
        queue.addRateLimited(name);
      }
      queue.done(name);
    }
  }

  const informers = kinds.map((kind) => {
    const changed = (object: AnyResource) => {
      const { ownerReferences, finalizers = [] } = object.metadata;
      const held = finalizers.includes(FOREGROUND_FINALIZER) || finalizers.includes(ORPHAN_FINALIZER);
      if (held || ownerReferences?.length) wake(kind, object.metadata);
    };
    const deleted = (object: AnyResource) => {
      wakeOwners(object, object.metadata.ownerReferences ?? []);
      dependentsOf(options, object).then(
        (dependents) => {
          for (const dependent of dependents) wake(dependent.kind, dependent.object.metadata);
        },
        (error: unknown) => log.warn({ error: messageOf(error) }, "dependents stay until the next start"),
      );
    };
    return runInformer({ store, kind, clock, log, changed, deleted }, signal);
  });
  await Promise.all([...informers, ...Array.from({ length: WORKERS }, work)]);
  queue.close();
}

interface Wakers {
  wake(kind: KindDef, key: Key): void;
  wakeOwners(object: AnyResource, owners: readonly OwnerReference[]): void;
}

/** Does what is to be done with one object; answers whether it waits for others. */
function createTender(options: GarbageOptions, { wake, wakeOwners }: Wakers) {
  const { store, admission, kinds, log } = options;

  async function stateOf(owner: OwnerReference): Promise<OwnerState> {
    const kind = kinds.find((each) => each.kind === owner.kind);
    if (!kind) return "exists"; // a kind that we do not know is not ours to judge
    return ownerState(await store.getByUid(kind, owner.uid));
  }

  async function release(owner: AnyResource): Promise<void> {
    for (const { kind, object } of await dependentsOf(options, owner)) {
      const { namespace, name, uid } = object.metadata;
      const without = (current: AnyResource) => withoutOwners(current, [owner.metadata.uid]);
      await ifThere(admission.update(kind, { namespace, name }, without, { uid }));
    }
  }

  return async (kind: KindDef, object: AnyResource): Promise<boolean> => {
    const { namespace, name, uid, resourceVersion, ownerReferences = [] } = object.metadata;
    const key = { namespace, name };
    const states = new Map(
      await Promise.all(ownerReferences.map(async (owner) => [owner.uid, await stateOf(owner)] as const)),
    );
    const plan = garbagePlan(object, (owner) => states.get(owner.uid) ?? "exists");
    switch (plan.action) {
      case "keep":
        return false;
      case "delete":
        // The revision guards against an owner that was taken away or added since.
        await ifThere(admission.delete(kind, key, { uid, resourceVersion, propagation: plan.propagation }));
        log.info({ kind: kind.kind, name, namespace }, "deleted: its owners are gone");
        return false;
      case "leave": {
        const uids = plan.owners.map((owner) => owner.uid);
        await ifThere(admission.update(kind, key, (current) => withoutOwners(current, uids), { uid, resourceVersion }));
        wakeOwners(object, plan.owners);
        return false;
      }
      case "orphan":
        await release(object);
        await dropFinalizer(admission, kind, object, ORPHAN_FINALIZER);
        return false;
      case "await dependents": {
        const dependents = await dependentsOf(options, object);
        for (const each of dependents) wake(each.kind, each.object.metadata);
        if (dependents.some((each) => blocks(each.object, object))) return true;
        await dropFinalizer(admission, kind, object, FOREGROUND_FINALIZER);
        return false;
      }
    }
  };
}

interface Dependent {
  readonly kind: KindDef;
  readonly object: AnyResource;
}

async function dependentsOf({ store, kinds }: GarbageOptions, owner: AnyResource): Promise<readonly Dependent[]> {
  const found: Dependent[] = [];
  for (const kind of kinds) {
    const { items } = await everything(store, kind, { owner: owner.metadata.uid });
    found.push(...items.map((object) => ({ kind, object })));
  }
  return found;
}

function nameOf(kind: KindDef, { namespace = "", name }: Key): string {
  return [qualifiedResource(kind), namespace, name].join("/");
}

function partsOf(text: string): readonly [string, Key] {
  const [resource = "", namespace = "", name = ""] = text.split("/");
  return [resource, { namespace: namespace === "" ? undefined : namespace, name }];
}
