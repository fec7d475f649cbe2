// How a stream outlives a restart of the server: what was connected once is connected again, for a while.
import { ConnectionError, ServerError } from "./failure.ts";
import type { Terminal } from "./terminal.ts";

/** A deploy of a server takes less. */
const PATIENCE_MS = 60_000;
const PAUSE_MS = 500;

export interface Patience {
  /** The server has answered. */
  connected(): void;
  /** Waits before the next try; throws the error when it will not pass, or has not passed for too long. */
  bear(error: unknown, signal: AbortSignal): Promise<void>;
  pause(signal: AbortSignal): Promise<void>;
}

/** A server that never answered is not waited for: it is more likely misspelled than away. */
export function createPatience(terminal: Terminal): Patience {
  let known = false;
  let lostSince: number | undefined;
  return {
    connected() {
      known = true;
      lostSince = undefined;
    },
    async bear(error, signal) {
      signal.throwIfAborted();
      lostSince ??= terminal.now();
      if (!known || !isPassing(error) || terminal.now() - lostSince > PATIENCE_MS) throw error;
      await terminal.sleep(PAUSE_MS, signal);
    },
    pause: (signal) => terminal.sleep(PAUSE_MS, signal),
  };
}

/** Errors that a server which is being restarted causes. */
function isPassing(error: unknown): boolean {
  return error instanceof ConnectionError || (error instanceof ServerError && [502, 503, 504].includes(error.status));
}
