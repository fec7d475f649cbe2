// A watch as Kubernetes serves it: what exists now (unless the client names a revision), then every change, a JSON text a
// line. History that is gone is told inside the stream with status 410: the client lists again.

import { WATCH_BOOKMARK_MS } from "../../controller/limits.ts";
import { type Everything, everything } from "../../controller/store/all-pages.ts";
import { ExpiredError } from "../../controller/store/errors.ts";
import type { Store, WatchEvent } from "../../controller/store/store.ts";
import type { AnyResource, KindDef } from "../../crds/resource.ts";
import type { ApiContext } from "../api.ts";
import { failureOf, kubeStatus } from "../failure.ts";
import { invalidField } from "../http-error.ts";
import { type LineStreamParts, lineStream } from "../line-stream.ts";
import { withBookmarks } from "./bookmarks.ts";
import { flag, listQuery, revisionQuery, wholeNumber } from "./query.ts";
import { type Representation, shapeOf } from "./representation.ts";

/** On the bookmark that ends what existed: client libraries take their cache for complete then. */
const INITIAL_EVENTS_END = "k8s.io/initial-events-end";

export async function watchResources(
  c: ApiContext,
  kind: KindDef,
  namespace: string | undefined,
  store: Store,
  shown: Representation,
  parts: LineStreamParts,
): Promise<Response> {
  const list = streamingList(c);
  const { labelSelector, fieldSelector } = listQuery(c, namespace);
  const selection = { namespace, labelSelector, fieldSelector };
  const since = await revisionQuery(c, () => store.revision());
  const timeoutSeconds = wholeNumber(c, "timeoutSeconds");
  const shape = shapeOf(c);
  const timeoutMs = timeoutSeconds === undefined ? undefined : timeoutSeconds * 1000;
  const bookmarks = flag(c, "allowWatchBookmarks");
  const line = (type: string, object: AnyResource, json: string) =>
    `{"type":"${type}","object":${shown.eventJson(c, shape, object, json)}}`;
  const bookmark = (revision: number, annotations?: object) =>
    `{"type":"BOOKMARK","object":${JSON.stringify(shown.bookmark(shape, revision, annotations))}}`;
  const initial = await beginning();

  async function beginning(): Promise<Everything> {
    if (list === "wanted" || (list === undefined && since === undefined)) return everything(store, kind, selection);
    return { items: [], revision: since ?? (await store.revision()) };
  }

  async function* lines(
    changes: AsyncIterable<WatchEvent<AnyResource>>,
    signal: AbortSignal,
  ): AsyncGenerator<string | Uint8Array> {
    for (const item of initial.items) yield line("ADDED", item, JSON.stringify(item));
    if (list === "wanted" && bookmarks) yield bookmark(initial.revision, { [INITIAL_EVENTS_END]: "true" });
    try {
      const { clock } = parts.options;
      const told = bookmarks
        ? withBookmarks(changes, { store, clock, everyMs: WATCH_BOOKMARK_MS, timeoutMs }, signal)
        : changes;
      for await (const event of told) {
        if (event.type === "BOOKMARK") yield bookmark(event.revision);
        else yield shape === "Object" ? sharedLine(event) : line(event.type, event.object, event.json);
      }
    } catch (error) {
      if (!(error instanceof ExpiredError)) throw error;
      yield `{"type":"ERROR","object":${JSON.stringify(kubeStatus(failureOf(error)))}}`;
    }
  }

  return lineStream(c, parts, {
    contentType: "application/json",
    timeoutMs,
    // Asked for here and not in the stream: a selector that cannot be read throws at once.
    lines: (signal) => lines(store.watch(kind, { ...selection, since: initial.revision }, signal), signal),
  });
}

/** Every watcher without a selector gets the same event: its bytes are made once. */
const LINES = new WeakMap<WatchEvent<AnyResource>, Uint8Array>();

function sharedLine(event: WatchEvent<AnyResource>): Uint8Array {
  const known = LINES.get(event);
  if (known) return known;
  const bytes = Buffer.from(`{"type":"${event.type}","object":${event.json}}\n`);
  LINES.set(event, bytes);
  return bytes;
}

/** Whether the client asks for, or declines, what exists as the first events; undefined when it says nothing of it. */
function streamingList(c: ApiContext): "wanted" | "declined" | undefined {
  const match = c.req.query("resourceVersionMatch");
  const initialEvents = c.req.query("sendInitialEvents");
  if (initialEvents === undefined || initialEvents === "") {
    if (!match) return undefined;
    const message = "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
    throw invalidField("resourceVersionMatch", message, "FieldValueForbidden");
  }
  if (match !== "NotOlderThan") {
    const message = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
    throw invalidField("resourceVersionMatch", message, "FieldValueForbidden");
  }
  return flag(c, "sendInitialEvents") ? "wanted" : "declined";
}
