// The Kubernetes-style endpoints of a kind, all made from its description: adding a kind adds its endpoints.

import type { Key } from "../../controller/store/store.ts";
import { type AnyResource, apiVersionOf, type KindDef } from "../../crds/resource.ts";
import type { Api, ApiContext, ApiOptions } from "../api.ts";
import { HttpError } from "../http-error.ts";
import type { LineStreamParts } from "../line-stream.ts";
import { exactRevision, flag, listQuery, revisionQuery } from "./query.ts";
import { representation } from "./representation.ts";
import { notFound, type Part, resourceWrites } from "./resource-writes.ts";
import { watchResources } from "./watch.ts";

type Handler = (c: ApiContext) => Promise<Response>;
type Verbs = Partial<Record<"get" | "post" | "put" | "patch" | "delete", Handler>>;

export function mountKind(api: Api, kind: KindDef, options: ApiOptions, parts: LineStreamParts): void {
  const { store } = options;
  const shown = representation(kind, () => options.clock.now());
  const writes = resourceWrites(kind, options, shown);

  const list: Handler = async (c) => {
    const namespace = c.req.param("namespace");
    if (flag(c, "watch")) return watchResources(c, kind, namespace, store, shown, parts);
    const revision = exactRevision(c);
    await revisionQuery(c, () => store.revision());
    return c.json(shown.list(c, await store.list(kind, { ...listQuery(c, namespace), revision })));
  };
  const get: Handler = async (c) => {
    const key = keyOf(c);
    const object: AnyResource | undefined = await store.get(kind, key);
    if (!object) throw notFound(kind, key.name);
    return c.json(shown.object(c, object));
  };
  const one = (part: Part): Verbs => ({
    get,
    put: (c) => writes.replace(c, keyOf(c), part),
    patch: (c) => writes.patch(c, keyOf(c), part),
  });
  const removeAll: Handler = (c) => writes.removeAll(c, c.req.param("namespace"));
  const create: Handler = (c) => writes.create(c, c.req.param("namespace"));
  const remove: Handler = (c) => writes.remove(c, keyOf(c));

  const root = kind.group === "" ? `/api/${kind.version}` : `/apis/${apiVersionOf(kind)}`;
  const home = kind.scope === "Namespaced" ? `${root}/namespaces/:namespace/${kind.plural}` : `${root}/${kind.plural}`;
  if (kind.scope === "Namespaced") mount(api, `${root}/${kind.plural}`, { get: list });
  mount(api, home, { get: list, post: create, delete: removeAll });
  mount(api, `${home}/:name`, { ...one("whole"), delete: remove });
  if (kind.fields.status) mount(api, `${home}/:name/status`, one("status"));
}

export function mount(api: Api, path: string, verbs: Verbs): void {
  for (const [verb, handler] of Object.entries(verbs)) api.on(verb.toUpperCase(), path, handler);
  const allowed = Object.keys(verbs).map((verb) => verb.toUpperCase());
  api.all(path, (c) => {
    throw new HttpError("MethodNotAllowed", `${c.req.method} is not allowed here; allowed: ${allowed.join(", ")}`, {
      headers: { allow: allowed.join(", ") },
    });
  });
}

function keyOf(c: ApiContext): Key {
  return { namespace: c.req.param("namespace"), name: c.req.param("name") ?? "" };
}
