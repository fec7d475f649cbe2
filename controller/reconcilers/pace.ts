// How soon the same thing may be done to the same object again: at once the first time, later each time after that,
// unless what was done has held for a while. Without it a machine that falls over as it starts is started all day.
import { type Backoff, backoffMs } from "../kernel/backoff.ts";
import type { Clock } from "../kernel/clock.ts";
import { STEP_POLL_MS } from "../limits.ts";

export interface Pace {
  /** How long `what` has to wait now; 0 or less means not at all. */
  delayMs(uid: string, what: string): number;
  done(uid: string, what: string): void;
  forget(uid: string): void;
}

interface Last {
  readonly what: string;
  readonly count: number;
  readonly atMs: number;
}

export function createPace(clock: Clock, backoff: Backoff, heldMs: number): Pace {
  const last = new Map<string, Last>();
  const nextMs = ({ atMs, count }: Last) => atMs + backoffMs(backoff, count);
  const lastOf = (uid: string, what: string) => {
    const found = last.get(uid);
    return found?.what === what ? found : undefined;
  };
  return {
    delayMs(uid, what) {
      const before = lastOf(uid, what);
      return before ? nextMs(before) - clock.monotonic() : 0;
    },
    done(uid, what) {
      const before = lastOf(uid, what);
      const atMs = clock.monotonic();
      const again = before !== undefined && atMs < nextMs(before) + heldMs;
      last.set(uid, { what, count: again ? before.count + 1 : 1, atMs });
    },
    forget: (uid) => void last.delete(uid),
  };
}

/**
 * How long to leave a step alone: until something is due, at most a poll. What was due when the plan was made has been tried, in
 * vain perhaps: again after a poll, never at once.
 */
export function untilDueMs(dueAtMs: number | undefined, plannedAtMs: number, nowMs: number): number {
  if (dueAtMs === undefined || dueAtMs <= plannedAtMs) return STEP_POLL_MS;
  return Math.max(0, Math.min(STEP_POLL_MS, dueAtMs - nowMs));
}
