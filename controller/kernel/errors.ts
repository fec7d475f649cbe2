// Errors are typed by what they mean for whoever catches them, not by where they come from.

/** Somebody else wrote in between: read again and decide again. */
export class ConflictError extends Error {
  override readonly name: string = "ConflictError";
}

/** Trouble that passes: try again, not before `retryAfterMs` when it is given. */
export class TransientError extends Error {
  override readonly name: string = "TransientError";
  readonly retryAfterMs: number | undefined;
  constructor(message: string, options: { retryAfterMs?: number | undefined; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Nothing changes until the specification does: report it and stop. `reason` is a CamelCase condition reason. */
export class TerminalError extends Error {
  override readonly name: string = "TerminalError";
  readonly reason: string;
  constructor(reason: string, message: string, options: { cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.reason = reason;
  }
}

/** A state that our own code rules out. Whoever runs the process lets it die: continuing could do harm. */
export class AssertionError extends Error {
  override readonly name: string = "AssertionError";
}

export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** A value that an exhaustive switch has ruled out. */
export function unreachable(value: never): never {
  throw new AssertionError(`unexpected value ${JSON.stringify(value)}`);
}

/** The message of anything thrown, with the messages of its causes. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${messageOf(error.cause)}`;
}
