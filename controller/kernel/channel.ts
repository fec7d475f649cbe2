// A bounded queue between one producer that never waits and one consumer that does. A consumer that falls behind is
// cut off with the error given to `overflow`, instead of holding the producer's memory.

export interface Channel<T> extends AsyncIterable<T> {
  /** False once the channel is closed or has overflowed. */
  push(item: T): boolean;
  /** Ends the iteration after what is queued; with an error, the iteration rejects instead of ending. */
  close(error?: Error): void;
}

export function channel<T>(capacity: number, overflow: () => Error): Channel<T> {
  const queued: T[] = [];
  let closed = false;
  let failure: Error | undefined;
  let wake: (() => void) | undefined;

  function close(error?: Error): void {
    if (closed) return;
    closed = true;
    failure = error;
    wake?.();
  }

  async function* drain(): AsyncGenerator<T> {
    try {
      for (;;) {
        const item = queued.shift();
        if (item !== undefined) yield item;
        else if (failure) throw failure;
        else if (closed) return;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      close();
    }
  }

  return {
    push(item) {
      if (closed) return false;
      if (queued.length >= capacity) {
        queued.length = 0;
        close(overflow());
        return false;
      }
      queued.push(item);
      wake?.();
      return true;
    },
    close,
    [Symbol.asyncIterator]: drain,
  };
}
