// Bookmarks: a watch that has nothing to tell says now and then how far it has come, so that the client goes on from there
// and not from an event of long ago that compaction may have taken.
import type { Clock } from "../../controller/kernel/clock.ts";
import type { Store, WatchEvent } from "../../controller/store/store.ts";
import type { AnyResource } from "../../crds/resource.ts";

export interface Bookmark {
  readonly type: "BOOKMARK";
  /** Every change up to it has been in the stream. */
  readonly revision: number;
}

export interface BookmarkOptions {
  readonly store: Pick<Store, "revision">;
  readonly clock: Clock;
  readonly everyMs: number;
  /** When the stream ends by itself: a last bookmark comes shortly before. */
  readonly timeoutMs?: number | undefined;
}

/** How long before its end a stream says for the last time how far it has come. */
const BEFORE_END_MS = 2000;

export async function* withBookmarks(
  changes: AsyncIterable<WatchEvent<AnyResource>>,
  { store, clock, everyMs, timeoutMs }: BookmarkOptions,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent<AnyResource> | Bookmark> {
  const iterator = changes[Symbol.asyncIterator]();
  const lastMs = timeoutMs === undefined ? Number.POSITIVE_INFINITY : clock.monotonic() + timeoutMs - BEFORE_END_MS;
  const pause = (ms: number): Promise<undefined> =>
    clock.sleep(ms, signal).then(
      () => undefined,
      () => undefined, // aborted: then the changes end too
    );
  const untilDue = () => {
    const leftMs = lastMs - clock.monotonic();
    return pause(leftMs > 0 ? Math.min(everyMs, leftMs) : everyMs);
  };
  let next = pull(iterator);
  let due = untilDue();
  for (;;) {
    const first = await Promise.race([next.event, due]);
    if (first !== undefined) {
      if (first.done === true) return;
      yield first.value;
      next = pull(iterator);
      continue;
    }
    const revision = await store.revision();
    // What was written up to it is on its way to us already, and has arrived a turn later.
    await Promise.race([pause(0), next.event]);
    if (!next.arrived && !signal.aborted) yield { type: "BOOKMARK", revision };
    due = signal.aborted ? new Promise(() => undefined) : untilDue();
  }
}

interface Pulled {
  readonly event: Promise<IteratorResult<WatchEvent<AnyResource>>>;
  arrived: boolean;
}

function pull(iterator: AsyncIterator<WatchEvent<AnyResource>>): Pulled {
  const pulled: Pulled = { event: iterator.next(), arrived: false };
  const arrived = () => {
    pulled.arrived = true;
  };
  pulled.event.then(arrived, arrived);
  return pulled;
}
