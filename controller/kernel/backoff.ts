// Exponential backoff as a pure function of the number of failures.

export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
}

/** The delay before try `failures + 1`: base, 2·base, 4·base … up to max. `failures` counts from 1. */
export function backoffMs(backoff: Backoff, failures: number): number {
  return Math.min(backoff.maxMs, backoff.baseMs * 2 ** Math.min(Math.max(failures - 1, 0), 30));
}
