// A work queue of names. A name waits once however often it is added, and is never handed to two workers at a time: one
// added while being worked on comes back when that is done. Failures of a name delay that name alone.
import { type Backoff, backoffMs } from "../kernel/backoff.ts";
import type { Clock } from "../kernel/clock.ts";
import { heap } from "../kernel/heap.ts";
import { jitter, type Random } from "../kernel/random.ts";

export interface Queue {
  add(name: string): void;
  /** After `ms`; an earlier time for the same name wins, and so does an `add` before it. */
  addAfter(name: string, ms: number): void;
  /** After a delay that grows with the failures of this name. */
  addRateLimited(name: string): void;
  /** The next name; rejects with the signal's reason. Every name taken must be given back with `done`. */
  take(signal: AbortSignal): Promise<string>;
  done(name: string): void;
  /** The failures of this name are over. */
  forget(name: string): void;
  /** Names that could be taken now, and names that wait for their time. */
  depth(): { readonly ready: number; readonly delayed: number };
  close(): void;
}

export interface QueueOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly backoff?: Backoff;
}

interface Taker {
  readonly signal: AbortSignal;
  readonly resolve: (name: string) => void;
  readonly reject: (reason: unknown) => void;
}

/** A reason spares the error with its stack that an abort without one makes. */
const REPLACED = "an earlier name has come";

const DEFAULT_BACKOFF: Backoff = { baseMs: 200, maxMs: 5 * 60_000 };

export function createQueue({ clock, random, backoff = DEFAULT_BACKOFF }: QueueOptions): Queue {
  const ready = new Set<string>();
  const working = new Set<string>();
  const again = new Set<string>();
  const failures = new Map<string, number>();
  const due = new Map<string, number>();
  const delayed = heap<string>();
  const takers: Taker[] = [];
  const heard = new WeakSet<AbortSignal>();
  const closing = new AbortController();
  let alarm: { readonly at: number; readonly cancel: AbortController } | undefined;

  function add(name: string): void {
    due.delete(name);
    if (working.has(name)) again.add(name);
    else if (!ready.has(name)) hand(name);
  }

  function hand(name: string): void {
    const taker = takers.shift();
    if (!taker) {
      ready.add(name);
      return;
    }
    working.add(name);
    taker.resolve(name);
  }

  /** All workers share a signal: with a listener for each of them, taking a name would cost the more the more wait. */
  function hear(signal: AbortSignal): void {
    if (heard.has(signal)) return;
    heard.add(signal);
    signal.addEventListener(
      "abort",
      () => {
        const leaving = takers.filter((each) => each.signal === signal);
        takers.splice(0, takers.length, ...takers.filter((each) => each.signal !== signal));
        for (const taker of leaving) taker.reject(signal.reason);
      },
      { once: true },
    );
  }

  function addAfter(name: string, ms: number): void {
    if (ms <= 0) {
      add(name);
      return;
    }
    const at = clock.monotonic() + ms;
    const before = due.get(name);
    if (before !== undefined && before <= at) return;
    due.set(name, at);
    delayed.push(at, name);
    arm();
  }

  /** One sleeper for the earliest name; replaced when an earlier one comes. */
  function arm(): void {
    const next = delayed.peek();
    if (!next || closing.signal.aborted || (alarm && alarm.at <= next.priority)) return;
    alarm?.cancel.abort(REPLACED);
    const cancel = new AbortController();
    alarm = { at: next.priority, cancel };
    clock
      .sleep(Math.max(0, next.priority - clock.monotonic()), cancel.signal)
      .then(ring, () => undefined /* replaced or closed */);
  }

  function ring(): void {
    alarm = undefined;
    const now = clock.monotonic();
    for (let next = delayed.peek(); next && next.priority <= now; next = delayed.peek()) {
      delayed.pop();
      if (due.get(next.item) === next.priority) add(next.item);
    }
    arm();
  }

  return {
    add,
    addAfter,
    addRateLimited(name) {
      const count = (failures.get(name) ?? 0) + 1;
      failures.set(name, count);
      addAfter(name, jitter(random, backoffMs(backoff, count)));
    },
    take(signal) {
      signal.throwIfAborted();
      const [name] = ready;
      if (name !== undefined) {
        ready.delete(name);
        working.add(name);
        return Promise.resolve(name);
      }
      hear(signal);
      return new Promise((resolve, reject) => {
        takers.push({ signal, resolve, reject });
      });
    },
    done(name) {
      working.delete(name);
      if (again.delete(name)) hand(name);
    },
    forget: (name) => failures.delete(name),
    depth: () => ({ ready: ready.size, delayed: due.size }),
    close() {
      closing.abort();
      alarm?.cancel.abort();
    },
  };
}
