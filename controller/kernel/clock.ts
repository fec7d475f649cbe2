// Time comes in as an argument everywhere, so the whole controller can run on virtual time.

export interface Clock {
  /** Wall-clock time, ms since the epoch. May jump; use it for what people read and what is stored. */
  now(): number;
  /** Monotonic time in ms from an arbitrary origin. Use it for measuring and for waiting. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const timer = setTimeout(done, Math.min(ms, 2 ** 31 - 1));
      signal?.addEventListener("abort", aborted, { once: true });
      function done() {
        signal?.removeEventListener("abort", aborted);
        resolve();
      }
      function aborted() {
        clearTimeout(timer);
        reject(signal?.reason);
      }
    }),
};

/** RFC 3339 in UTC with seconds, the precision of Kubernetes' `metav1.Time`. */
export function timestamp(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19)}Z`;
}

/** RFC 3339 in UTC with milliseconds, for what is measured: step and execution times. */
export function preciseTimestamp(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

/**
 * Runs `work` with a signal that aborts after `ms` or with `parent`, whichever is first, on the given clock.
 * The reason of the abort by time is a `TimeoutError` naming `what`.
 */
export async function withTimeout<T>(
  clock: Clock,
  ms: number,
  what: string,
  parent: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const finished = new AbortController();
  const onParent = () => limit.abort(parent?.reason);
  if (parent?.aborted) onParent();
  parent?.addEventListener("abort", onParent, { once: true });
  clock.sleep(ms, finished.signal).then(
    () => limit.abort(new TimeoutError(`${what} took longer than ${ms} ms`)),
    () => undefined, // the work finished first
  );
  try {
    return await work(limit.signal);
  } finally {
    parent?.removeEventListener("abort", onParent);
    finished.abort(FINISHED);
  }
}

/** Given as a reason it spares the error with its stack that an abort without one makes, for every call. */
const FINISHED = "finished";

export class TimeoutError extends Error {
  override readonly name = "TimeoutError";
}
