// Namespaces: an object needs one that exists and is not being deleted; `default` stays.

import { DEFAULT_NAMESPACE, type Namespace, namespaceKind } from "../../crds/namespace.ts";
import { apiVersionOf, type KindDef, qualifiedResource } from "../../crds/resource.ts";
import { AlreadyExistsError, NotFoundError } from "../store/errors.ts";
import type { View } from "../store/store.ts";
import { type Admission, ForbiddenError } from "./admission.ts";

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

/** Everything that names no namespace lands there. */
export function refuseToLoseDefault(name: string): void {
  if (name !== DEFAULT_NAMESPACE) return;
  throw new ForbiddenError(`namespaces "${name}" is forbidden: this namespace may not be deleted`);
}

function isTerminating(namespace: Namespace): boolean {
  return namespace.metadata.deletionTimestamp !== undefined || namespace.status?.phase === "Terminating";
}
