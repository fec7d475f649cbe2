// One write as watchers see it. Its JSON is the stored text, shared by all of them; objects are parsed at most once, and
// only when somebody looks. A selector turns a change into the event that it is for those who see selected objects only.
import type { AnyResource } from "../../crds/resource.ts";
import { ExpiredError } from "./errors.ts";
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

/** `bodyOf` answers the text stored at a revision, undefined when it is compacted. */
export function changeOf(row: HistoryRow, bodyOf: (revision: number) => string | undefined): Change {
  const { kind, namespace, revision, previous } = row;
  const before = once(() => {
    if (previous === null) return undefined;
    const body = bodyOf(previous);
    if (body === undefined) throw tooOld(revision - 1);
    return parse(body);
  });
  const departure = once(() => {
    const last = before();
    const metadata = { ...last?.metadata, resourceVersion: String(revision) };
    return eventOf("DELETED", revision, JSON.stringify({ ...last, metadata }));
  });
  return { kind, namespace, revision, event: eventOf(row.type, revision, row.body), before, departure };
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

function eventOf(type: HistoryRow["type"], revision: number, json: string): WatchEvent<AnyResource> {
  const object = once(() => parse(json));
  return {
    type,
    revision,
    json,
    get object() {
      return object();
    },
  };
}

/** Stored text was an admitted object when it was written. */
function parse(json: string): AnyResource {
  return JSON.parse(json);
}

function once<T>(compute: () => T): () => T {
  let known: { readonly value: T } | undefined;
  return () => {
    known ??= { value: compute() };
    return known.value;
  };
}
