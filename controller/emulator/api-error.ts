// A refusal as the Machines API words it: an HTTP status, a text that begins with a code, sometimes a status word.

const HTTP_STATUS = {
  invalid_argument: 400,
  unauthenticated: 401,
  permission_denied: 403,
  not_found: 404,
  deadline_exceeded: 408,
  already_exists: 409,
  aborted: 409,
  failed_precondition: 412,
  resource_exhausted: 429,
  internal: 500,
  unavailable: 503,
} as const;

export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  constructor(status: number, body: Readonly<Record<string, unknown>>) {
    super(String(body.error ?? body.message ?? status));
    this.status = status;
    this.body = body;
  }
}

/** `code: message`, with the HTTP status that follows from the code. */
export function refused(code: keyof typeof HTTP_STATUS, message: string): ApiError {
  return new ApiError(HTTP_STATUS[code], { error: `${code}: ${message}` });
}

/** A text without a code, and a status word where Fly gives one. */
export function failed(status: number, error: string, word?: string): ApiError {
  return new ApiError(status, word === undefined ? { error } : { error, status: word });
}
