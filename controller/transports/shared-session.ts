// One connection lent to many callers. Each gets a session of its own, whose close() ends nothing for the others, and all
// together never open more channels than the server allows.

import { type Semaphore, semaphore } from "../kernel/semaphore.ts";
import { SSH_CHANNELS_MAX, SSH_STREAMS_MAX } from "../limits.ts";
import { type Connection, type RemoteProcess, type Session, TransportError } from "./transport.ts";

export interface SharedSession {
  readonly alive: boolean;
  /** `refusal` is asked before anything is sent. */
  lend(refusal: () => TransportError | undefined): Session;
  close(): void;
}

export function sharedSession(connection: Connection): SharedSession {
  const channels = semaphore(SSH_CHANNELS_MAX);
  const streams = semaphore(SSH_STREAMS_MAX);

  async function place(from: Semaphore, signal: AbortSignal): Promise<() => void> {
    try {
      return await from.acquire(signal);
    } catch (cause) {
      throw new TransportError("down", "given up while waiting for a channel", { cause });
    }
  }

  /** A stream holds its places until its process ends. */
  async function stream(open: () => Promise<RemoteProcess>, check: () => void, signal: AbortSignal) {
    const releaseStream = await place(streams, signal);
    try {
      const releaseChannel = await place(channels, signal);
      const release = () => {
        releaseChannel();
        releaseStream();
      };
      try {
        check();
        const process = await open();
        void process.exit.then(release, release);
        return process;
      } catch (error) {
        releaseChannel();
        throw error;
      }
    } catch (error) {
      releaseStream();
      throw error;
    }
  }

  function lend(refusal: () => TransportError | undefined): Session {
    const check = () => {
      const error = refusal();
      if (error) throw error;
    };
    const { open } = connection;
    return {
      transport: connection.transport,
      async run(command, options, signal) {
        const release = await place(channels, signal);
        try {
          check();
          return await connection.run(command, options, signal);
        } finally {
          release();
        }
      },
      open: open && ((command, options, signal) => stream(() => open(command, options, signal), check, signal)),
      close: () => undefined,
    };
  }

  return {
    get alive() {
      return connection.alive;
    },
    lend,
    close: () => connection.close(),
  };
}
