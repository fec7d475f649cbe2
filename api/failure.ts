// Anything thrown, said twice: as a Kubernetes Status, and in the shape of the simple REST endpoints.

import { ForbiddenError, InvalidError } from "../controller/admission/admission.ts";
import { unknownFieldText } from "../controller/admission/kind-schema.ts";
import { ConflictError, TransientError } from "../controller/kernel/errors.ts";
import { ApplyConflictError, ownerText } from "../controller/store/apply/apply.ts";
import {
  AlreadyExistsError,
  BadRequestError,
  ExpiredError,
  FieldForbiddenError,
  NotFoundError,
  StaleWriteError,
  TooLargeError,
  UnavailableError,
} from "../controller/store/errors.ts";
import type { KindDef } from "../crds/resource.ts";
import { CODES, type Details, HttpError, type Reason } from "./http-error.ts";

export interface Failure {
  readonly reason: Reason;
  readonly message: string;
  readonly details?: Details | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

export function failureOf(error: unknown): Failure {
  if (error instanceof HttpError) return error;
  if (error instanceof InvalidError) return invalid(error);
  if (error instanceof NotFoundError) return about("NotFound", error);
  if (error instanceof AlreadyExistsError) return about("AlreadyExists", error);
  if (error instanceof ApplyConflictError) return applyConflict(error);
  if (error instanceof StaleWriteError) return about("Conflict", error);
  if (error instanceof FieldForbiddenError) return forbiddenField(error);
  if (error instanceof TooLargeError) return { reason: "RequestEntityTooLarge", message: error.message };
  if (error instanceof ConflictError) return { reason: "Conflict", message: error.message };
  if (error instanceof ForbiddenError) return { reason: "Forbidden", message: error.message };
  if (error instanceof ExpiredError) return { reason: "Expired", message: error.message };
  if (error instanceof BadRequestError) return { reason: "BadRequest", message: error.message };
  if (error instanceof UnavailableError) return unavailable(error.message, 1);
  if (error instanceof TransientError)
    return unavailable(error.message, Math.ceil((error.retryAfterMs ?? 1000) / 1000));
  // What we did not foresee may carry anything: it goes to the log, not to the client.
  return { reason: "InternalError", message: "Internal error occurred; the log has it under the request id" };
}

export function statusCode(failure: Failure): number {
  return CODES[failure.reason];
}

export function kubeStatus(failure: Failure): object {
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: failure.message,
    reason: failure.reason,
    ...(failure.details ? { details: failure.details } : {}),
    code: statusCode(failure),
  };
}

const REST: Readonly<Record<Reason, readonly [status: number, code: string]>> = {
  BadRequest: [400, "validation_failed"],
  Invalid: [400, "validation_failed"],
  Unauthorized: [401, "unauthorized"],
  Forbidden: [403, "forbidden"],
  NotFound: [404, "not_found"],
  MethodNotAllowed: [405, "method_not_allowed"],
  NotAcceptable: [406, "not_acceptable"],
  AlreadyExists: [409, "conflict"],
  Conflict: [409, "conflict"],
  Expired: [410, "expired"],
  RequestEntityTooLarge: [413, "too_large"],
  UnsupportedMediaType: [415, "unsupported_media_type"],
  TooManyRequests: [429, "throttled"],
  InternalError: [500, "internal"],
  ServiceUnavailable: [503, "unavailable"],
  Timeout: [504, "timeout"],
};

export function restFailure(failure: Failure): { readonly status: number; readonly body: object } {
  const [status, code] = REST[failure.reason];
  const details = (failure.details?.causes ?? [])
    .filter((cause) => cause.field !== undefined)
    .map(({ field, message }) => ({ field, message }));
  return { status, body: { error: { code, message: failure.message, details } } };
}

/** Unknown fields are a decoding error (400) in Kubernetes, everything else about the object is 422. */
function invalid(error: InvalidError): Failure {
  const { kind, objectName, causes } = error;
  const details = { name: objectName, group: kind.group, kind: kind.kind, causes };
  if (!causes.every((cause) => cause.reason === "UnknownField")) {
    return { reason: "Invalid", message: error.message, details };
  }
  const fields = causes.map(unknownFieldText).join(", ");
  const message = `${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: strict decoding error: ${fields}`;
  return { reason: "BadRequest", message, details };
}

function about(
  reason: Reason,
  error: Error & { readonly kind: KindDef; readonly key: { readonly name: string } },
): Failure {
  const details = {
    name: error.key.name,
    ...(error.kind.group === "" ? {} : { group: error.kind.group }),
    kind: error.kind.plural,
  };
  return { reason, message: error.message, details };
}

function applyConflict({ message, conflicts }: ApplyConflictError): Failure {
  const causes = conflicts.map(({ owner, field }) => ({
    reason: "FieldManagerConflict",
    message: `conflict with ${ownerText(owner)}`,
    field,
  }));
  return { reason: "Conflict", message, details: { causes } };
}

function forbiddenField({ kind, key, field, detail, message }: FieldForbiddenError): Failure {
  const causes = [{ reason: "FieldValueForbidden", field, message: `Forbidden: ${detail}` }];
  return { reason: "Invalid", message, details: { name: key.name, group: kind.group, kind: kind.kind, causes } };
}

function unavailable(message: string, retryAfterSeconds: number): Failure {
  return {
    reason: "ServiceUnavailable",
    message,
    details: { retryAfterSeconds },
    headers: { "retry-after": String(retryAfterSeconds) },
  };
}
