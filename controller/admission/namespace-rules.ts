// Namespaces: an object needs one that exists and is not being deleted; `default` stays; one that holds objects stays too.

import { eventKind } from "../../crds/event.ts";
import { DEFAULT_NAMESPACE, type Namespace, namespaceKind } from "../../crds/namespace.ts";
import { apiVersionOf, type KindDef, qualifiedResource } from "../../crds/resource.ts";
import { ConflictError } from "../kernel/errors.ts";
import { AlreadyExistsError, NotFoundError } from "../store/errors.ts";
import type { Precondition, Store, View, WriteOptions } from "../store/store.ts";
import { type Admission, ForbiddenError } from "./admission.ts";

/** Names that the refusal of a deletion lists before it says "and more". */
const NAMED_AT_MOST = 5;

export function requireNamespace(kind: KindDef, name: string, namespace: string, view: View): void {
  const found = view.get(namespaceKind, { name: namespace });
  if (!found) throw new NotFoundError(namespaceKind, { name: namespace });
  if (!isTerminating(found)) return;
  throw new ForbiddenError(
    `${qualifiedResource(kind)} "${name}" is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`,
  );
}

/** Makes the namespace that everything without one lands in, unless it is there. */
export async function ensureDefaultNamespace(admission: Admission): Promise<void> {
  try {
    await admission.create(namespaceKind, {
      apiVersion: apiVersionOf(namespaceKind),
      kind: namespaceKind.kind,
      metadata: { name: DEFAULT_NAMESPACE },
    });
  } catch (error) {
    if (!(error instanceof AlreadyExistsError)) throw error;
  }
}

/**
 * Deletes an empty namespace. It is closed first, so that nothing can be created in it between the look and the deletion;
 * its events go with it.
 */
export async function deleteNamespace(
  store: Store,
  kinds: readonly KindDef[],
  name: string,
  options: Precondition & WriteOptions,
): Promise<Namespace> {
  if (name === DEFAULT_NAMESPACE) {
    throw new ForbiddenError(`namespaces "${name}" is forbidden: this namespace may not be deleted`);
  }
  const key = { name };
  if (!(await store.get(namespaceKind, key))) throw new NotFoundError(namespaceKind, key);
  await refuseContent(store, kinds, name);
  if (options.dryRun) return store.delete(namespaceKind, key, options);
  await store.updateStatus(namespaceKind, key, () => ({ phase: "Terminating" }), options);
  try {
    await refuseContent(store, kinds, name);
  } catch (error) {
    await store.updateStatus(namespaceKind, key, () => ({ phase: "Active" }));
    throw error;
  }
  for (const event of (await store.list(eventKind, { namespace: name })).items) {
    await store.delete(eventKind, { namespace: name, name: event.metadata.name });
  }
  return store.delete(namespaceKind, key, { uid: options.uid });
}

async function refuseContent(store: Store, kinds: readonly KindDef[], namespace: string): Promise<void> {
  const held: string[] = [];
  for (const kind of kinds) {
    if (kind.scope !== "Namespaced" || kind === eventKind) continue;
    const page = await store.list(kind, { namespace, limit: NAMED_AT_MOST + 1 });
    held.push(...page.items.map((item) => `${kind.singular}/${item.metadata.name}`));
  }
  if (held.length === 0) return;
  const more = held.length > NAMED_AT_MOST ? " and more" : "";
  throw new ConflictError(
    `Operation cannot be fulfilled on namespaces "${namespace}": it holds ${held.slice(0, NAMED_AT_MOST).join(", ")}${more}; delete them first`,
  );
}

function isTerminating(namespace: Namespace): boolean {
  return namespace.metadata.deletionTimestamp !== undefined || namespace.status?.phase === "Terminating";
}
