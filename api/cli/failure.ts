// What goes wrong and what the user is told: the object, the field, the value, and a remedy. Exit codes: 1 for a
// failure, 2 for a command that was typed wrong, 130 after Ctrl-C as shells have it.

export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
export const EXIT_INTERRUPTED = 130;

/** Expected, and told in one or a few lines without a stack. */
export class Failure extends Error {
  override readonly name: string = "Failure";
  readonly exitCode: number = EXIT_FAILED;
}

export class UsageError extends Failure {
  override readonly name = "UsageError";
  override readonly exitCode = EXIT_USAGE;
}

/** The server cannot be reached, or the connection to it was lost. */
export class ConnectionError extends Failure {
  override readonly name = "ConnectionError";
}

/** A wait that took longer than the user allowed. */
export class TimeoutError extends Failure {
  override readonly name = "TimeoutError";
}

export interface Problem {
  readonly field: string;
  readonly message: string;
}

/** The server answered, and the answer is no. */
export class ServerError extends Failure {
  override readonly name = "ServerError";
  readonly status: number;
  /** Kubernetes' reason (`NotFound`, `Invalid`, …) or the code of the simple endpoints (`not_found`, …). */
  readonly reason: string;
  readonly problems: readonly Problem[];

  constructor(status: number, reason: string, message: string, problems: readonly Problem[] = []) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.problems = problems;
  }
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ServerError && error.status === 404;
}

export function isConflict(error: unknown): boolean {
  return error instanceof ServerError && error.status === 409;
}

/** Reads both error shapes of the server: Kubernetes' Status, and `{error: {code, message, details}}`. */
export function serverError(status: number, text: string, path: string): ServerError {
  const body = parseObject(text);
  const error = asObject(body?.error);
  if (error) {
    const details = Array.isArray(error.details) ? error.details : [];
    return new ServerError(status, asText(error.code), asText(error.message), details.map(problemOf));
  }
  if (body?.kind === "Status") {
    const causes = asObject(body.details)?.causes;
    const problems = Array.isArray(causes) ? causes.map(problemOf) : [];
    return new ServerError(status, asText(body.reason), asText(body.message), problems);
  }
  const shown = text.trim().slice(0, 200);
  return new ServerError(status, "Unknown", `the server answered ${status} to ${path}${shown ? `: ${shown}` : ""}`);
}

/** The lines for stderr. `subject` says where the object came from, such as a file name. */
export function explain(error: Failure, subject?: string): string {
  const prefix = subject ? `error: ${subject}: ` : "error: ";
  if (!(error instanceof ServerError)) return prefix + error.message;
  const remedy = remedyFor(error);
  const lines = error.problems.length > 0 ? withProblems(error) : [error.message];
  return prefix + [...lines, ...(remedy ? [remedy] : [])].join("\n");
}

function remedyFor({ status, message }: ServerError): string | undefined {
  switch (status) {
    case 401:
      return "Set FLYWHEEL_TOKEN or --token to the API_KEY that the server was started with.";
    case 404: {
      const plural = /^(\w+)(?:\.\S+)? ".*" not found$/.exec(message)?.[1];
      return plural && `\`flywheel get ${plural} -A\` shows those that there are.`;
    }
    case 503:
      return "The server cannot write or is starting; try again, and look at its log.";
    default:
      return undefined;
  }
}

/** Kubernetes repeats every cause in its message; the head of it, then one line each, reads better. */
function withProblems(error: ServerError): string[] {
  const head = /^(.*? is invalid|.*?): /.exec(error.message)?.[1] ?? error.message;
  return [`${head}:`, ...error.problems.map(({ field, message }) => `  ${field ? `${field}: ` : ""}${message}`)];
}

function problemOf(cause: unknown): Problem {
  const object = asObject(cause);
  return { field: asText(object?.field), message: asText(object?.message) };
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return undefined; // a proxy's page, or plain text: shown as it is
  }
}

function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  // An object that is not an array has string keys, whatever its values are.
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : "";
}
