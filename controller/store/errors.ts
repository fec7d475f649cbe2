// What a store refuses, typed by what the caller can do about it.
import { type KindDef, qualifiedResource } from "../../crds/resource.ts";
import { ConflictError } from "../kernel/errors.ts";
import type { Key } from "./store.ts";

export class NotFoundError extends Error {
  override readonly name = "NotFoundError";
  readonly kind: KindDef;
  readonly key: Key;
  constructor(kind: KindDef, key: Key) {
    super(`${qualifiedResource(kind)} "${key.name}" not found`);
    this.kind = kind;
    this.key = key;
  }
}

export class AlreadyExistsError extends Error {
  override readonly name = "AlreadyExistsError";
  readonly kind: KindDef;
  readonly key: Key;
  constructor(kind: KindDef, key: Key) {
    super(`${qualifiedResource(kind)} "${key.name}" already exists`);
    this.kind = kind;
    this.key = key;
  }
}

/** A write that was decided on another state than the stored one. */
export class StaleWriteError extends ConflictError {
  override readonly name = "StaleWriteError";
  readonly kind: KindDef;
  readonly key: Key;
  constructor(kind: KindDef, key: Key, detail: string) {
    super(`Operation cannot be fulfilled on ${qualifiedResource(kind)} "${key.name}": ${detail}`);
    this.kind = kind;
    this.key = key;
  }
}

/** The history asked for is compacted: list again (HTTP 410). */
export class ExpiredError extends Error {
  override readonly name = "ExpiredError";
}

/** A selector or continue token that cannot be read (HTTP 400). */
export class BadRequestError extends Error {
  override readonly name = "BadRequestError";
}

/** The database cannot be written now: full disk, lock (HTTP 503). Nothing of the write has happened. */
export class UnavailableError extends Error {
  override readonly name = "UnavailableError";
}

/** A field that may not take this value in the object's present state (HTTP 422, cause FieldValueForbidden). */
export class FieldForbiddenError extends Error {
  override readonly name = "FieldForbiddenError";
  readonly kind: KindDef;
  readonly key: Key;
  readonly field: string;
  readonly detail: string;
  constructor(kind: KindDef, key: Key, field: string, detail: string) {
    super(`${qualifiedResource(kind)} "${key.name}" is invalid: ${field}: Forbidden: ${detail}`);
    this.kind = kind;
    this.key = key;
    this.field = field;
    this.detail = detail;
  }
}

/** An object that is larger than MAX_OBJECT_BYTES (HTTP 413). */
export class TooLargeError extends Error {
  override readonly name = "TooLargeError";
}

/** Bytes of a log that do not continue what is held: go on from `received`. */
export class LogGapError extends Error {
  override readonly name = "LogGapError";
  readonly received: number;
  constructor(stream: string, offset: number, received: number) {
    super(`log ${stream}: bytes from ${offset} do not continue the ${received} that are held`);
    this.received = received;
  }
}

/** The file cannot be opened by this process: it is in use, newer than this program, or something else. */
export class RefusedDatabaseError extends Error {
  override readonly name = "RefusedDatabaseError";
}
