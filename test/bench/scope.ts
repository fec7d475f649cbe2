// What a measurement has opened is closed when it ends, in the opposite order, whether it worked or not.

export type Close = () => Promise<unknown>;

export interface Scope {
  onClose(close: Close): void;
  /** All of it, even when one fails; then throws the first failure. */
  close(): Promise<void>;
}

export function openScope(): Scope {
  const opened: Close[] = [];
  return {
    onClose: (close) => void opened.push(close),
    async close() {
      const failures: unknown[] = [];
      for (let close = opened.pop(); close; close = opened.pop()) {
        await close().catch((error: unknown) => failures.push(error));
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}
