// A watch as Kubernetes serves it: what exists now (unless the client names a revision), then every change, a JSON text a
// line. History that is gone is told inside the stream with status 410: the client lists again.

import { ExpiredError } from "../../controller/store/errors.ts";
import type { ListOptions, Store, WatchEvent } from "../../controller/store/store.ts";
import type { AnyResource, KindDef } from "../../crds/resource.ts";
import type { ApiContext } from "../api.ts";
import { failureOf, kubeStatus } from "../failure.ts";
import { invalidField } from "../http-error.ts";
import { type LineStreamParts, lineStream } from "../line-stream.ts";
import { listQuery, revisionQuery, wholeNumber } from "./query.ts";
import { type Representation, shapeOf } from "./representation.ts";

export async function watchResources(
  c: ApiContext,
  kind: KindDef,
  namespace: string | undefined,
  store: Store,
  shown: Representation,
  parts: LineStreamParts,
): Promise<Response> {
  if (c.req.query("sendInitialEvents")) {
    // The answer that makes clients fall back to list and watch.
    throw invalidField("sendInitialEvents", "Forbidden: sendInitialEvents is not supported", "FieldValueForbidden");
  }
  const { labelSelector, fieldSelector } = listQuery(c, namespace);
  const selection = { namespace, labelSelector, fieldSelector };
  const since = await revisionQuery(c, () => store.revision());
  const timeoutSeconds = wholeNumber(c, "timeoutSeconds");
  const shape = shapeOf(c);
  const line = (type: string, object: AnyResource, json: string) =>
    `{"type":"${type}","object":${shown.eventJson(c, shape, object, json)}}`;
  const initial = since === undefined ? await everything(store, kind, selection) : { items: [], revision: since };

  async function* lines(changes: AsyncIterable<WatchEvent<AnyResource>>): AsyncGenerator<string> {
    for (const item of initial.items) yield line("ADDED", item, JSON.stringify(item));
    try {
      for await (const event of changes) {
        yield line(event.type, event.object, event.json);
      }
    } catch (error) {
      if (!(error instanceof ExpiredError)) throw error;
      yield `{"type":"ERROR","object":${JSON.stringify(kubeStatus(failureOf(error)))}}`;
    }
  }

  return lineStream(c, parts, {
    contentType: "application/json",
    timeoutMs: timeoutSeconds === undefined ? undefined : timeoutSeconds * 1000,
    // Asked for here and not in the stream: a selector that cannot be read throws at once.
    lines: (signal) => lines(store.watch(kind, { ...selection, since: initial.revision }, signal)),
  });
}

/** All pages, true at one revision. */
async function everything(
  store: Store,
  kind: KindDef,
  selection: ListOptions,
): Promise<{ readonly items: readonly AnyResource[]; readonly revision: number }> {
  const items: AnyResource[] = [];
  for (let from: string | undefined; ; ) {
    const page = await store.list(kind, { ...selection, continue: from });
    items.push(...page.items);
    if (!page.continue) return { items, revision: page.revision };
    from = page.continue;
  }
}
