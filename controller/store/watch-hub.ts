// Serves every watcher with every write once, in the order of revisions. A watcher first replays history at its own
// pace; the turn in which that finds nothing newer is the turn in which it joins the live ones, so nothing falls between.
import type { AnyResource } from "../../crds/resource.ts";
import { type Channel, channel } from "../kernel/channel.ts";
import { assert } from "../kernel/errors.ts";
import { WATCH_BUFFER_EVENTS, WATCH_REPLAY_ROWS } from "../limits.ts";
import { ExpiredError, UnavailableError } from "./errors.ts";
import type { ParsedObjects } from "./parsed-objects.ts";
import type { Selector } from "./selectors.ts";
import type { WatchEvent } from "./store.ts";
import { type Change, changeOf, type HistoryRow, selected, tooOld } from "./watch-event.ts";

/** The history as the hub reads it. */
export interface History {
  /** The newest committed revision. */
  head(): number;
  /** A watch from before this revision has lost writes. */
  compacted(): number;
  /** Writes after `revision`, oldest first. */
  after(revision: number, limit: number): readonly HistoryRow[];
  readonly objects: ParsedObjects;
}

export interface Watched {
  /** The qualified resource. */
  readonly kind: string;
  /** All namespaces when absent. */
  readonly namespace: string | undefined;
  readonly selector: Selector;
}

export interface WatchHub {
  watch(watched: Watched, since: number, signal: AbortSignal): AsyncIterable<WatchEvent<AnyResource>>;
  /** A commit has happened: passes on what it wrote. */
  wake(): void;
  close(): void;
}

interface Watcher {
  readonly watched: Watched;
  readonly live: Channel<WatchEvent<AnyResource>>;
}

export function watchHub(history: History): WatchHub {
  const watchers = new Set<Watcher>();
  let served = history.head();
  let closed = false;

  function wake(): void {
    if (watchers.size === 0) {
      served = history.head();
      return;
    }
    while (served < history.head()) {
      const rows = history.after(served, WATCH_REPLAY_ROWS);
      assert(rows.length > 0, `history has no write after ${served}, but revision ${history.head()} is committed`);
      for (const row of rows) {
        const change = changeOf(row, history.objects);
        for (const watcher of watchers) serve(watcher, change);
        served = row.revision;
      }
    }
  }

  async function* watch(watched: Watched, since: number, signal: AbortSignal): AsyncGenerator<WatchEvent<AnyResource>> {
    let position = since;
    while (!signal.aborted) {
      refuseUnknown(position);
      const rows = history.after(position, WATCH_REPLAY_ROWS);
      if (rows.length === 0) {
        yield* follow(watched, signal);
        return;
      }
      for (const row of rows) {
        const event = eventFor(watched, changeOf(row, history.objects));
        if (event && !signal.aborted) yield event;
        position = row.revision;
      }
    }
  }

  async function* follow(watched: Watched, signal: AbortSignal): AsyncGenerator<WatchEvent<AnyResource>> {
    const live = channel<WatchEvent<AnyResource>>(WATCH_BUFFER_EVENTS, tooSlow);
    const watcher = { watched, live };
    const end = () => live.close();
    watchers.add(watcher);
    signal.addEventListener("abort", end, { once: true });
    try {
      yield* live;
    } finally {
      signal.removeEventListener("abort", end);
      watchers.delete(watcher);
    }
  }

  function refuseUnknown(position: number): void {
    if (closed) throw new UnavailableError("the store is closed");
    if (position < history.compacted()) throw tooOld(position);
    // A revision of another database, or of one that was restored from a copy: only a new list can help.
    if (position > history.head()) {
      throw new ExpiredError(`too large resource version: ${position}, current: ${history.head()}; list again`);
    }
  }

  function close(): void {
    closed = true;
    for (const { live } of watchers) live.close(new UnavailableError("the store is closed"));
  }

  return { watch, wake, close };
}

function serve({ watched, live }: Watcher, change: Change): void {
  const event = eventFor(watched, change);
  if (event) live.push(event);
}

function eventFor({ kind, namespace, selector }: Watched, change: Change): WatchEvent<AnyResource> | undefined {
  if (change.kind !== kind) return undefined;
  if (namespace !== undefined && change.namespace !== namespace) return undefined;
  return selected(change, selector);
}

function tooSlow(): ExpiredError {
  return new ExpiredError(`the watcher left more than ${WATCH_BUFFER_EVENTS} events unread; list again`);
}
