// Time that passes only when a test says so. Between two sleepers that wake, everything they caused runs to its end:
// promise jobs and immediates, which is all that code on an in-memory store consists of.
import type { Clock } from "../controller/kernel/clock.ts";
import { heap } from "../controller/kernel/heap.ts";

export interface VirtualClock extends Clock {
  /** Lets `ms` pass: wakes every sleeper that is due, in order of time, each at its own moment. */
  advance(ms: number): Promise<void>;
  /** Lets time pass from one sleeper to the next until `condition` holds; throws when `maxMs` did not bring it about. */
  runUntil(condition: () => boolean | Promise<boolean>, maxMs?: number): Promise<void>;
  /** Runs what is runnable now, without letting time pass. */
  settle(): Promise<void>;
  /** Calls back in a later turn, as setImmediate does, but where `settle` sees it: it need not guess how long to wait. */
  schedule(callback: () => void): void;
  /** How many sleep now. */
  readonly sleepers: number;
}

interface Sleeper {
  wake: (() => void) | undefined;
}

const START_MS = Date.UTC(2026, 0, 1);

/** Turns of the event loop that count as "all that was runnable": longer than any chain of writes a test sets off. */
const SETTLE_TURNS = 25;

/** `settleTurns` may be small where every later turn is asked for with `schedule`; each call of it begins the count anew. */
export function virtualClock(startMs = START_MS, settleTurns = SETTLE_TURNS): VirtualClock {
  let scheduled: (() => void)[] = [];
  const queue = heap<Sleeper>();
  let elapsedMs = 0;
  let sleepers = 0;

  function sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const sleeper: Sleeper = { wake: () => finish(resolve) };
      const aborted = () => finish(() => reject(signal?.reason));
      function finish(settleSleep: () => void): void {
        sleeper.wake = undefined;
        sleepers -= 1;
        signal?.removeEventListener("abort", aborted);
        settleSleep();
      }
      sleepers += 1;
      signal?.addEventListener("abort", aborted, { once: true });
      queue.push(elapsedMs + Math.max(ms, 0), sleeper);
    });
  }

  /** When the next sleeper is due, counted from the start; aborted ones are dropped on the way. */
  function nextDueMs(): number | undefined {
    for (let top = queue.peek(); top; top = queue.peek()) {
      if (top.item.wake) return top.priority;
      queue.pop();
    }
    return undefined;
  }

  async function settle(): Promise<void> {
    for (let turn = 0; turn < settleTurns; turn += 1) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (scheduled.length === 0) continue;
      const callbacks = scheduled;
      scheduled = [];
      for (const callback of callbacks) callback();
      turn = -1;
    }
  }

  async function advance(ms: number): Promise<void> {
    const targetMs = elapsedMs + ms;
    await settle();
    for (let dueMs = nextDueMs(); dueMs !== undefined && dueMs <= targetMs; dueMs = nextDueMs()) {
      elapsedMs = dueMs;
      queue.pop()?.wake?.();
      await settle();
    }
    elapsedMs = targetMs;
  }

  async function runUntil(condition: () => boolean | Promise<boolean>, maxMs = 24 * 60 * 60_000): Promise<void> {
    const limitMs = elapsedMs + maxMs;
    for (;;) {
      await settle();
      if (await condition()) return;
      const dueMs = nextDueMs();
      if (dueMs === undefined)
        throw new Error("the condition does not hold and nobody sleeps: nothing more can happen");
      if (dueMs > limitMs) throw new Error(`the condition does not hold after ${maxMs} virtual ms`);
      await advance(dueMs - elapsedMs);
    }
  }

  return {
    now: () => startMs + elapsedMs,
    monotonic: () => elapsedMs,
    sleep,
    advance,
    runUntil,
    settle,
    schedule: (callback) => void scheduled.push(callback),
    get sleepers() {
      return sleepers;
    },
  };
}
