// The simple REST face of instances: a flat body in, a flat object out. Everything goes through the same admission and store
// as a manifest, so kubectl sees the same instance.

import { z } from "zod";
import { REST_WAIT_MAX_MS } from "../../controller/limits.ts";
import { type Instance, instanceKind } from "../../crds/instance.ts";
import { API_VERSION } from "../../crds/resource.ts";
import { type Api, type ApiContext, type ApiOptions, endOf } from "../api.ts";
import { awaitObject } from "../await-object.ts";
import { fieldWriter } from "../field-writer.ts";
import { flag, wholeNumber } from "../kube/query.ts";
import { mount } from "../kube/resources.ts";
import { withFieldNames } from "./field-names.ts";
import { instanceState, instanceView } from "./instance-view.ts";
import { find, namespaceOf } from "./lookup.ts";
import { restBody } from "./rest-body.ts";

/** Types and ranges are the kind's to judge; here only what a body may hold at all. */
const newInstance = z.strictObject({
  name: z.string().optional(),
  region: z.unknown().optional(),
  size: z.unknown().optional(),
  memoryMb: z.unknown().optional(),
  image: z.unknown().optional(),
});

const FIELDS = [
  ["metadata.", ""],
  ["spec.", ""],
] as const;

export function mountInstances(api: Api, options: ApiOptions): void {
  const { store, admission } = options;

  async function create(c: ApiContext): Promise<Response> {
    const { name, ...fields } = await restBody(c, newInstance);
    const namespace = namespaceOf(c);
    const created = await withFieldNames(FIELDS, () =>
      admission.create(
        instanceKind,
        {
          apiVersion: API_VERSION,
          kind: instanceKind.kind,
          metadata: { namespace, ...(name ? { name } : { generateName: "instance-" }) },
          spec: Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null)),
        },
        { writer: fieldWriter(c, options.clock) },
      ),
    );
    const shown = flag(c, "wait") ? await untilSettled(c, created) : created;
    return c.json(instanceView(shown), 201);
  }

  /** Ready, failed, or as far as it came when the time was over. */
  async function untilSettled(c: ApiContext, created: Instance): Promise<Instance> {
    const timeoutMs = Math.min(wholeNumber(c, "timeout") ?? REST_WAIT_MAX_MS, REST_WAIT_MAX_MS);
    const settled = (instance: Instance) => ["running", "failed", "destroying"].includes(instanceState(instance));
    return (await awaitObject(options, instanceKind, created, settled, timeoutMs, endOf(c))) ?? created;
  }

  mount(api, "/api/instances", {
    get: async (c) => {
      const page = await store.list(instanceKind, { namespace: namespaceOf(c) });
      return c.json({ items: page.items.map(instanceView) });
    },
    post: create,
  });

  mount(api, "/api/instances/:id", {
    get: async (c) => c.json(instanceView(await find(c, store, instanceKind, c.req.param("id") ?? ""))),
    delete: async (c) => {
      const { metadata } = await find(c, store, instanceKind, c.req.param("id") ?? "");
      const key = { namespace: metadata.namespace, name: metadata.name };
      const last = await admission.delete(instanceKind, key, { uid: metadata.uid });
      return c.json({ ...instanceView(last), status: "destroying" }, 202);
    },
  });
}
