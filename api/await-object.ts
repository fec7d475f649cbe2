// Waiting for an object to come to some state, by the store's watch: no polling, and nothing is missed in between.

import { type Clock, TimeoutError, withTimeout } from "../controller/kernel/clock.ts";
import { ExpiredError } from "../controller/store/errors.ts";
import type { Store } from "../controller/store/store.ts";
import type { AnyResource, KindDef } from "../crds/resource.ts";

/**
 * The object once `done` says so; its last state when time or the signal came first. Undefined when it was deleted.
 * `object` must have come from the store.
 */
export async function awaitObject<R extends AnyResource>(
  parts: { readonly store: Store; readonly clock: Clock },
  kind: KindDef<R>,
  object: R,
  done: (object: R) => boolean,
  timeoutMs: number,
  parent: AbortSignal,
): Promise<R | undefined> {
  const { store, clock } = parts;
  const { namespace, name, uid } = object.metadata;
  let last: R | undefined = object;

  async function follow(signal: AbortSignal): Promise<void> {
    const selection = { namespace, fieldSelector: `metadata.name=${name}` };
    while (last && !done(last) && !signal.aborted) {
      try {
        const since = Number(last.metadata.resourceVersion);
        for await (const event of store.watch(kind, { ...selection, since }, signal)) {
          last = event.type === "DELETED" || event.object.metadata.uid !== uid ? undefined : event.object;
          if (!last || done(last)) return;
        }
      } catch (error) {
        if (!(error instanceof ExpiredError)) throw error;
        last = await store.getByUid(kind, uid);
      }
    }
  }

  try {
    await withTimeout(clock, timeoutMs, `waiting for ${kind.singular} ${name}`, parent, follow);
  } catch (error) {
    const ended = error instanceof TimeoutError || parent.aborted;
    if (!ended) throw error;
  }
  return last;
}
