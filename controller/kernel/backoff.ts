// Exponential backoff as a pure function of the number of failures.

export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
}

/** The delay before try `failures + 1`: base, 2·base, 4·base … up to max. `failures` counts from 1. */
export function backoffMs(backoff: Backoff, failures: number): number {
  return Math.min(backoff.maxMs, backoff.baseMs * 2 ** Math.min(Math.max(failures - 1, 0), 30));
}

/**
 * What is left of a pause that is to end at `endMs` by the wall clock. None where that is more than any pause lasts: the
 * clock was set back since, and the end would be hours away.
 */
export function leftOfPauseMs(endMs: number, nowMs: number, maxMs: number): number {
  const leftMs = endMs - nowMs;
  return leftMs > maxMs ? 0 : Math.max(0, leftMs);
}
