// Fly's limits: a bucket per action and machine or app, one call a second with a burst of three; reading one machine
// five a second with a burst of ten. Source: Fly's documentation of the Machines API.
import type { Clock } from "../kernel/clock.ts";

interface Bucket {
  tokens: number;
  at: number;
}

const RATE = { perSecond: 1, burst: 3 };
const GET_RATE = { perSecond: 5, burst: 10 };
/** Buckets that are full again say nothing; they are dropped when this many have gathered. */
const BUCKETS_KEPT = 10_000;

/** Takes a token, or says false when there is none. */
export function rateLimiter(clock: Clock): (action: string, id: string) => boolean {
  const buckets = new Map<string, Bucket>();
  return (action, id) => {
    const { perSecond, burst } = action === "get" ? GET_RATE : RATE;
    const now = clock.monotonic();
    const key = `${action} ${id}`;
    const bucket = buckets.get(key) ?? { tokens: burst, at: now };
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * perSecond);
    bucket.at = now;
    if (buckets.size > BUCKETS_KEPT) {
      for (const [each, { at }] of buckets) if (now - at > 10_000) buckets.delete(each);
    }
    buckets.set(key, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  };
}
