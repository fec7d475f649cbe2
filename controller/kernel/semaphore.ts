// So many at once and no more; the others wait in the order in which they came, as long as their signal lets them.

export interface Semaphore {
  /** Resolves with what gives the place back; calling that twice gives it back once. */
  acquire(signal: AbortSignal): Promise<() => void>;
  /** How many wait for a place. */
  readonly line: number;
}

/** Holds a place for as long as `work` lasts. */
export async function holding<T>(semaphore: Semaphore, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const release = await semaphore.acquire(signal);
  try {
    return await work();
  } finally {
    release();
  }
}

export function semaphore(places: number): Semaphore {
  const waiting = new Set<() => void>();
  let free = places;

  function place(): () => void {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const [next] = waiting;
      if (next) next();
      else free += 1;
    };
  }

  return {
    get line() {
      return waiting.size;
    },
    acquire(signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        if (free > 0) {
          free -= 1;
          return resolve(place());
        }
        const take = () => {
          waiting.delete(take);
          signal.removeEventListener("abort", leave);
          resolve(place());
        };
        const leave = () => {
          waiting.delete(take);
          reject(signal.reason);
        };
        signal.addEventListener("abort", leave, { once: true });
        waiting.add(take);
      });
    },
  };
}
