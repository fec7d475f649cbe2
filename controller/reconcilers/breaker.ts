// The mass-vanish breaker, pure. Fly's list has been seen empty for apps full of machines; whoever believes it doubles the
// fleet. When too many machines are absent without a confirmed end, nothing is created or deleted until two sweeps agree.
import { VANISH_MIN, VANISH_RATIO } from "../limits.ts";

export interface Breaker {
  readonly open: boolean;
  /** Absent and unconfirmed at the last sweep, sorted. */
  readonly missing: readonly string[];
}

export const CLOSED: Breaker = { open: false, missing: [] };

/** The state after a sweep in which `missing` of `total` expected machines were absent and not confirmed destroyed. */
export function afterSweep(before: Breaker, missing: readonly string[], total: number): Breaker {
  const sorted = [...missing].sort();
  if (sorted.length <= Math.max(VANISH_MIN, VANISH_RATIO * total)) return { open: false, missing: sorted };
  const agrees = sorted.length === before.missing.length && sorted.every((id, index) => id === before.missing[index]);
  return { open: !agrees, missing: sorted };
}
