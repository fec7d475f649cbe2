// `:id` in a REST path is a uid or a name; `?namespace=` says where names are looked up.

import type { Store } from "../../controller/store/store.ts";
import { DEFAULT_NAMESPACE } from "../../crds/namespace.ts";
import type { AnyResource, KindDef } from "../../crds/resource.ts";
import type { ApiContext } from "../api.ts";
import { notFound } from "../kube/resource-writes.ts";

const UID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function namespaceOf(c: ApiContext): string {
  return c.req.query("namespace") || DEFAULT_NAMESPACE;
}

/** The object of this kind with this uid, or with this name in the namespace of the request. */
export async function find<R extends AnyResource>(
  c: ApiContext,
  store: Store,
  kind: KindDef<R>,
  id: string,
): Promise<R> {
  const found =
    (UID.test(id) ? await store.getByUid(kind, id) : undefined) ??
    (await store.get(kind, { namespace: namespaceOf(c), name: id }));
  if (!found) throw notFound(kind, id);
  return found;
}
