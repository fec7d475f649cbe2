// One write as watchers see it. Its JSON is the stored text, shared by all of them; objects are parsed only when somebody
// looks. A selector turns a change into the event that it is for those who see selected objects only.
import type { AnyResource } from "../../crds/resource.ts";
import { ExpiredError } from "./errors.ts";
import { type ParsedObjects, parseFrozen } from "./parsed-objects.ts";
import type { Tables } from "./schema.ts";
import type { Selector } from "./selectors.ts";
import type { WatchEvent } from "./store.ts";

export type HistoryRow = Tables["history"];

export interface Change {
  readonly kind: string;
  readonly namespace: string;
  readonly revision: number;
  /** What it is for a watcher without a selector. */
  readonly event: WatchEvent<AnyResource>;
  /** The state before; undefined when the write created the object. ExpiredError when it is compacted. */
  before(): AnyResource | undefined;
  /** The event for a watcher whose selection the object has left: its former state, at this revision. */
  departure(): WatchEvent<AnyResource>;
}

export function changeOf(row: HistoryRow, objects: ParsedObjects): Change {
  const { kind, namespace, revision, previous } = row;
  const before = () => {
    if (previous === null) return undefined;
    const object = objects.at(previous);
    if (object === undefined) throw tooOld(revision - 1);
    return object;
  };
  const departure = once(() => {
    const last = before();
    const metadata = { ...last?.metadata, resourceVersion: String(revision) };
    const json = JSON.stringify({ ...last, metadata });
    return eventOf("DELETED", revision, json, () => parseFrozen(json));
  });
  const event = eventOf(row.type, revision, row.body, () => objects.of(revision, row.body));
  return { kind, namespace, revision, event, before, departure };
}

/** The event that `change` is for those who see only what `selector` selects; undefined when they see nothing of it. */
export function selected(change: Change, selector: Selector): WatchEvent<AnyResource> | undefined {
  const { event } = change;
  if (selector.everything) return event;
  const former = change.before();
  const wasIn = former !== undefined && selector.matches(former);
  if (event.type === "DELETED") return wasIn ? event : undefined;
  if (!selector.matches(event.object)) return wasIn ? change.departure() : undefined;
  if (wasIn || event.type === "ADDED") return event;
  return { type: "ADDED", revision: event.revision, json: event.json, object: event.object };
}

export function tooOld(since: number): ExpiredError {
  return new ExpiredError(`too old resource version: ${since}: its history is compacted; list again`);
}

function eventOf(
  type: HistoryRow["type"],
  revision: number,
  json: string,
  parsed: () => AnyResource,
): WatchEvent<AnyResource> {
  const object = once(parsed);
  return {
    type,
    revision,
    json,
    get object() {
      return object();
    },
  };
}

function once<T>(compute: () => T): () => T {
  let known: { readonly value: T } | undefined;
  return () => {
    known ??= { value: compute() };
    return known.value;
  };
}
