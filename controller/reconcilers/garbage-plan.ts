// What is to be done with an object for the sake of owners and dependents, decided from what was read: pure. The rules are those
// of Kubernetes' garbage collector.
import { type AnyResource, FOREGROUND_FINALIZER, ORPHAN_FINALIZER, type OwnerReference } from "../../crds/resource.ts";

/** `waiting`: the owner is being deleted, and goes only after its dependents. */
export type OwnerState = "exists" | "absent" | "waiting";

export type GarbagePlan =
  | { readonly action: "keep" }
  /** Foreground: its own dependents go before it. */
  | { readonly action: "delete"; readonly propagation: "Background" | "Foreground" }
  /** These owners hold the object no longer; another one does. */
  | { readonly action: "leave"; readonly owners: readonly OwnerReference[] }
  /** Its dependents lose it as an owner, and live on. */
  | { readonly action: "orphan" }
  /** Its dependents are to go before it. */
  | { readonly action: "await dependents" };

const KEEP: GarbagePlan = { action: "keep" };

export function garbagePlan({ metadata }: AnyResource, stateOf: (owner: OwnerReference) => OwnerState): GarbagePlan {
  if (metadata.deletionTimestamp !== undefined) {
    if (metadata.finalizers?.includes(ORPHAN_FINALIZER)) return { action: "orphan" };
    return metadata.finalizers?.includes(FOREGROUND_FINALIZER) ? { action: "await dependents" } : KEEP;
  }
  const owners = (metadata.ownerReferences ?? []).map((owner) => ({ owner, state: stateOf(owner) }));
  const gone = owners.filter(({ state }) => state !== "exists");
  if (gone.length === 0) return KEEP;
  if (gone.length < owners.length) return { action: "leave", owners: gone.map(({ owner }) => owner) };
  const awaited = gone.some(({ state }) => state === "waiting");
  return { action: "delete", propagation: awaited ? "Foreground" : "Background" };
}

export function ownerState(owner: AnyResource | undefined): OwnerState {
  if (owner === undefined) return "absent";
  const { deletionTimestamp, finalizers = [] } = owner.metadata;
  return deletionTimestamp !== undefined && finalizers.includes(FOREGROUND_FINALIZER) ? "waiting" : "exists";
}

/** The object without the owners of these uids. */
export function withoutOwners<R extends AnyResource>(object: R, uids: readonly string[]): R {
  const ownerReferences = (object.metadata.ownerReferences ?? []).filter(({ uid }) => !uids.includes(uid));
  return { ...object, metadata: { ...object.metadata, ownerReferences } };
}

/** Whether the deletion of `owner` waits for this dependent. */
export function blocks(dependent: AnyResource, owner: AnyResource): boolean {
  const reference = dependent.metadata.ownerReferences?.find(({ uid }) => uid === owner.metadata.uid);
  return reference?.blockOwnerDeletion === true;
}
