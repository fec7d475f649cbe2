// A pump from a watch to names. It keeps nothing to decide from: whoever gets the name reads the store. A watch that ends
// for whatever reason is begun again from a list, so a missed event costs nothing.
import type { AnyResource, KindDef } from "../../crds/resource.ts";
import { backoffMs } from "../kernel/backoff.ts";
import type { Clock } from "../kernel/clock.ts";
import { messageOf } from "../kernel/errors.ts";
import type { Log } from "../kernel/log.ts";
import { ExpiredError } from "../store/errors.ts";
import type { Store } from "../store/store.ts";

export interface InformerOptions<R extends AnyResource> {
  readonly store: Store;
  readonly kind: KindDef<R>;
  readonly clock: Clock;
  readonly log: Log;
  /** An object was listed, made or changed. */
  changed(object: R): void;
  deleted?(object: R): void;
  /** The first list has been handed on. */
  synced?(): void;
}

const RESTART = { baseMs: 100, maxMs: 10_000 };

/** Runs until the signal aborts. */
export async function runInformer<R extends AnyResource>(
  options: InformerOptions<R>,
  signal: AbortSignal,
): Promise<void> {
  const { clock, log, kind } = options;
  let failures = 0;
  while (!signal.aborted) {
    try {
      await listAndWatch(options, signal, () => {
        failures = 0;
      });
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ExpiredError) continue;
      failures += 1;
      log.warn({ kind: kind.kind, error: messageOf(error), failures }, "watch broke; listing again");
      await clock.sleep(backoffMs(RESTART, failures), signal).catch(() => undefined /* aborted: the loop ends */);
    }
  }
}

async function listAndWatch<R extends AnyResource>(
  options: InformerOptions<R>,
  signal: AbortSignal,
  alive: () => void,
): Promise<void> {
  const { store, kind } = options;
  let page = await store.list(kind);
  const since = page.revision;
  for (;;) {
    for (const object of page.items) options.changed(object);
    if (page.continue === undefined) break;
    page = await store.list(kind, { continue: page.continue });
  }
  alive();
  options.synced?.();
  for await (const event of store.watch(kind, { since }, signal)) {
    if (event.type === "DELETED") options.deleted?.(event.object);
    else options.changed(event.object);
  }
}
