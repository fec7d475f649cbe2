// One life of the controller process, as the outside sees it. A process that is killed does nothing any more: no handler
// of its runs, no reply reaches it. So nothing is aborted here; its effects and its replies just never come through.
import type { Clock } from "../../controller/kernel/clock.ts";

export interface Life {
  readonly dead: boolean;
  /** Resolves when the process is killed. */
  readonly ended: Promise<"killed">;
  kill(): void;
  /** A reply, unless the process has died meanwhile: then it never comes. */
  reply<T>(work: Promise<T>): Promise<T>;
  /** The process's clock: its sleepers never wake once it is dead. `skewMs` is how far its wall clock is off. */
  clock(clock: Clock, skewMs: () => number): Clock;
}

/** For a killed process: what it waits for never happens. */
export function never<T>(): Promise<T> {
  return new Promise<T>(() => undefined);
}

export function createLife(): Life {
  let dead = false;
  let end: (how: "killed") => void = () => undefined;
  const ended = new Promise<"killed">((resolve) => {
    end = resolve;
  });

  function reply<T>(work: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      work.then(
        (value) => {
          if (!dead) resolve(value);
        },
        (error: unknown) => {
          if (!dead) reject(error);
        },
      );
    });
  }

  return {
    get dead() {
      return dead;
    },
    ended,
    kill() {
      dead = true;
      end("killed");
    },
    reply,
    clock: (clock, skewMs) => ({
      now: () => clock.now() + skewMs(),
      monotonic: () => clock.monotonic(),
      sleep: (ms, signal) => (dead ? never() : reply(clock.sleep(ms, signal))),
    }),
  };
}
