// What a verb may know of the world it runs in: streams, environment, time, and the wish to stop. main.ts makes the
// real one; tests make one in memory.
import picocolors from "picocolors";

export interface Terminal {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether a person watches: progress may then be coloured. */
  readonly colors: boolean;
  /** Results, and nothing else, so that they can be piped. */
  write(data: string | Uint8Array): void;
  /** Resolves when the reader has taken most of what was written: what is large must not pile up here. */
  drained(): Promise<void>;
  /** Runs the server's own program on this computer to its end, with this command's streams; answers its exit code. */
  runServer(args: readonly string[]): Promise<number>;
  /** As `write`, to stderr: what a remote command wrote there. */
  writeError(data: string | Uint8Array): void;
  /** One line of progress, warning or error, beside the results. */
  note(line: string): void;
  readStdin(): Promise<string>;
  /** Aborts at the first Ctrl-C. */
  readonly interrupted: AbortSignal;
  now(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export type Paint = ReturnType<typeof picocolors.createColors>;

export function paintFor(terminal: Terminal): Paint {
  return picocolors.createColors(terminal.colors);
}

/** NO_COLOR, set to whatever, wins over FORCE_COLOR, which wins over what the stream is. See no-color.org. */
export function wantsColors(environment: Terminal["environment"], isTTY: boolean): boolean {
  if (environment.NO_COLOR) return false;
  if (environment.FORCE_COLOR) return environment.FORCE_COLOR !== "0";
  return isTTY && environment.TERM !== "dumb";
}

/** A signal that aborts with `reason` after `ms`, or with the parent; `ms` 0 means no limit. Cancel it when done. */
export function deadline(terminal: Terminal, ms: number, parent: AbortSignal, reason: Error) {
  const timer = new AbortController();
  const expiry = new AbortController();
  if (ms > 0) {
    terminal.sleep(ms, timer.signal).then(
      () => expiry.abort(reason),
      () => undefined, // cancelled: nobody waits for the expiry any more
    );
  }
  return { signal: AbortSignal.any([parent, expiry.signal]), cancel: () => timer.abort() };
}
