// Fly's rate limits, kept on our side so that they are not met on Fly's: one bucket for each (action, machine or app),
// served first come, first served. A bucket never grants more than its burst plus its rate times the time passed.
// Source: Fly's documentation of the Machines API, "Rate limits".
import { backoffMs } from "../kernel/backoff.ts";
import type { Clock } from "../kernel/clock.ts";

/** What is limited; each together with the id of the machine or app it goes to. */
export type Action =
  | "app-get"
  | "app-create"
  | "list"
  | "get"
  | "create"
  | "update"
  | "start"
  | "stop"
  | "suspend"
  | "delete"
  | "wait"
  | "exec"
  | "metadata";

export interface Budget {
  /** Resolves when one call may be sent; rejects with the signal's reason, and then nothing is used up. */
  take(action: Action, id: string, signal: AbortSignal): Promise<void>;
  /** Fly said 429: the bucket rests for `retryAfterMs`, or for a growing while when Fly did not say how long. */
  throttled(action: Action, id: string, retryAfterMs?: number): void;
  readonly counters: BudgetCounters;
}

export interface BudgetCounters {
  readonly granted: number;
  /** Calls that had to wait, and for how long together. */
  readonly delayed: number;
  readonly waitedMs: number;
  readonly throttled: number;
  readonly waiting: number;
}

interface Rate {
  readonly intervalMs: number;
  readonly burst: number;
}

/** A little slower than allowed: calls that leave in time and travel unevenly must not arrive too close to each other. */
const HEADROOM = 1.02;
const DEFAULT_RATE: Rate = { intervalMs: 1000 * HEADROOM, burst: 3 };
const RATES: Partial<Record<Action, Rate>> = { get: { intervalMs: 200 * HEADROOM, burst: 10 } };

/** How long a bucket rests after a 429 without Retry-After; the count starts anew after a minute without one. */
const REST = { baseMs: 1000, maxMs: 30_000 };
const REST_FORGET_MS = 60_000;

/** Buckets of machines that nobody calls any more are dropped when this many have gathered. */
const SWEEP_AT = 1024;

interface Waiter {
  readonly grant: () => void;
}

/** The generic cell rate algorithm: `nextMs` is when a bucket that grants at its rate would grant again. */
interface Bucket {
  readonly rate: Rate;
  nextMs: number;
  restsUntilMs: number;
  throttles: number;
  readonly waiters: Set<Waiter>;
  /** Ends the sleep of the one loop that serves the waiters. */
  serving: AbortController | undefined;
}

export function flyBudget(clock: Clock): Budget {
  const buckets = new Map<string, Bucket>();
  let sweepAt = SWEEP_AT;
  const counters = { granted: 0, delayed: 0, waitedMs: 0, throttled: 0, waiting: 0 };

  async function take(action: Action, id: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const bucket = bucketOf(action, id);
    if (bucket.waiters.size > 0 || delayMs(bucket) > 0) await turn(bucket, signal);
    else use(bucket);
    counters.granted += 1;
  }

  /** Waits in line; whoever leaves the line early has used up nothing. */
  async function turn(bucket: Bucket, signal: AbortSignal): Promise<void> {
    const since = clock.monotonic();
    counters.delayed += 1;
    counters.waiting += 1;
    try {
      await new Promise<void>((resolve, reject) => {
        const waiter: Waiter = {
          grant: () => {
            signal.removeEventListener("abort", leave);
            resolve();
          },
        };
        function leave(): void {
          bucket.waiters.delete(waiter);
          if (bucket.waiters.size === 0) bucket.serving?.abort();
          reject(signal.reason);
        }
        signal.addEventListener("abort", leave, { once: true });
        bucket.waiters.add(waiter);
        if (!bucket.serving) void serve(bucket);
      });
    } finally {
      counters.waiting -= 1;
      counters.waitedMs += clock.monotonic() - since;
    }
  }

  async function serve(bucket: Bucket): Promise<void> {
    const stop = new AbortController();
    bucket.serving = stop;
    while (!stop.signal.aborted) {
      const waitMs = delayMs(bucket);
      if (waitMs > 0) {
        // the rejection is the stop itself: everybody has left the line
        await clock.sleep(waitMs, stop.signal).catch(() => undefined);
        continue;
      }
      const [first] = bucket.waiters;
      if (!first) break;
      bucket.waiters.delete(first);
      use(bucket);
      first.grant();
    }
    if (bucket.serving === stop) bucket.serving = undefined;
    if (bucket.waiters.size > 0 && !bucket.serving) void serve(bucket);
  }

  function delayMs(bucket: Bucket): number {
    const readyMs = bucket.nextMs - (bucket.rate.burst - 1) * bucket.rate.intervalMs;
    return Math.max(readyMs, bucket.restsUntilMs) - clock.monotonic();
  }

  function use(bucket: Bucket): void {
    bucket.nextMs = Math.max(bucket.nextMs, clock.monotonic()) + bucket.rate.intervalMs;
  }

  function throttled(action: Action, id: string, retryAfterMs?: number): void {
    counters.throttled += 1;
    const bucket = bucketOf(action, id);
    const now = clock.monotonic();
    if (now >= bucket.restsUntilMs) {
      // answers that were under way together count as one
      const lasting = now - bucket.restsUntilMs < REST_FORGET_MS;
      bucket.throttles = lasting ? bucket.throttles + 1 : 1;
    }
    bucket.restsUntilMs = Math.max(bucket.restsUntilMs, now + (retryAfterMs ?? backoffMs(REST, bucket.throttles)));
    // Fly's own bucket is empty: after the rest calls go out one by one, not as a burst
    bucket.nextMs = Math.max(bucket.nextMs, bucket.restsUntilMs + (bucket.rate.burst - 1) * bucket.rate.intervalMs);
  }

  function bucketOf(action: Action, id: string): Bucket {
    const key = `${action} ${id}`;
    const known = buckets.get(key);
    if (known) return known;
    if (buckets.size >= sweepAt) sweep();
    const bucket: Bucket = {
      rate: RATES[action] ?? DEFAULT_RATE,
      nextMs: clock.monotonic(),
      restsUntilMs: Number.NEGATIVE_INFINITY,
      throttles: 0,
      waiters: new Set(),
      serving: undefined,
    };
    buckets.set(key, bucket);
    return bucket;
  }

  /** A bucket that is full again is the same as a new one. */
  function sweep(): void {
    const now = clock.monotonic();
    for (const [key, bucket] of buckets) {
      const full = bucket.nextMs <= now && bucket.restsUntilMs + REST_FORGET_MS <= now;
      if (full && bucket.waiters.size === 0) buckets.delete(key);
    }
    sweepAt = Math.max(SWEEP_AT, buckets.size * 2);
  }

  return {
    take,
    throttled,
    get counters() {
      return { ...counters };
    },
  };
}
