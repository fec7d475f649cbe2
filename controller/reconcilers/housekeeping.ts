// What grows with time and is not anybody's desire: Events that have had their day. Called on a schedule.
import { eventKind } from "../../crds/event.ts";
import type { Clock } from "../kernel/clock.ts";
import { EVENT_RETENTION_MS } from "../limits.ts";
import { NotFoundError } from "../store/errors.ts";
import type { Store } from "../store/store.ts";

/** Deletes Events last seen longer ago than EVENT_RETENTION_MS; answers how many. */
export async function expireEvents(store: Store, clock: Clock): Promise<number> {
  const before = clock.now() - EVENT_RETENTION_MS;
  let expired = 0;
  let page = await store.list(eventKind, { limit: PAGE });
  for (;;) {
    const old = page.items.filter(
      (event) => Date.parse(event.lastTimestamp ?? event.metadata.creationTimestamp) < before,
    );
    const outcomes = await Promise.all(
      old.map(({ metadata }) =>
        store.delete(eventKind, { namespace: metadata.namespace, name: metadata.name }, { uid: metadata.uid }).then(
          () => 1,
          (error: unknown) => {
            if (error instanceof NotFoundError) return 0;
            throw error;
          },
        ),
      ),
    );
    expired += outcomes.reduce((sum, each) => sum + each, 0);
    if (page.continue === undefined) return expired;
    page = await store.list(eventKind, { limit: PAGE, continue: page.continue });
  }
}

const PAGE = 500;
