// A refusal that the API itself decides, in Kubernetes' words. Everything else that can go wrong has a type of its own below.
import type { Cause } from "../controller/admission/admission.ts";

export type Reason =
  | "BadRequest"
  | "Unauthorized"
  | "Forbidden"
  | "NotFound"
  | "MethodNotAllowed"
  | "NotAcceptable"
  | "AlreadyExists"
  | "Conflict"
  | "Expired"
  | "RequestEntityTooLarge"
  | "UnsupportedMediaType"
  | "Invalid"
  | "TooManyRequests"
  | "InternalError"
  | "ServiceUnavailable"
  | "Timeout";

export const CODES = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
} as const satisfies Readonly<Record<Reason, number>>;

export interface Details {
  readonly name?: string | undefined;
  readonly group?: string | undefined;
  readonly kind?: string | undefined;
  readonly uid?: string | undefined;
  readonly causes?: readonly {
    readonly reason: string;
    readonly message: string;
    readonly field?: string | undefined;
  }[];
  readonly retryAfterSeconds?: number | undefined;
}

export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly reason: Reason;
  readonly details: Details | undefined;
  readonly headers: Readonly<Record<string, string>>;
  constructor(
    reason: Reason,
    message: string,
    options: { readonly details?: Details; readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    this.reason = reason;
    this.details = options.details;
    this.headers = options.headers ?? {};
  }
}

/** One field of a request is wrong (REST: 400, Kubernetes style: 422). */
export function invalidField(field: string, message: string, reason: Cause["reason"] = "FieldValueInvalid"): HttpError {
  return new HttpError("Invalid", `${field}: ${message}`, { details: { causes: [{ reason, message, field }] } });
}
