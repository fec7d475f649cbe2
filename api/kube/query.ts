// The query parameters of the Kubernetes-style endpoints, checked once for each request.
import type { FieldValidation } from "../../controller/admission/admission.ts";
import type { ListOptions } from "../../controller/store/store.ts";
import type { ApiContext } from "../api.ts";
import { HttpError, invalidField } from "../http-error.ts";

export interface WriteQuery {
  readonly dryRun: boolean;
  readonly fieldValidation: FieldValidation;
}

export function writeQuery(c: ApiContext): WriteQuery {
  return {
    dryRun: dryRunOf(c.req.queries("dryRun")),
    fieldValidation: fieldValidationOf(c.req.query("fieldValidation")),
  };
}

/** `All` in the query or in DeleteOptions; an empty value counts as absent. */
export function dryRunOf(values: readonly unknown[] | undefined): boolean {
  const given = (values ?? []).filter((value) => value !== "");
  const unknown = given.find((value) => value !== "All");
  if (unknown !== undefined)
    throw invalidField("dryRun", `Unsupported value: ${JSON.stringify(unknown)}: supported values: "All"`);
  return given.length > 0;
}

/** Strict unless the client asks for less. */
function fieldValidationOf(value: string | undefined): FieldValidation {
  if (value === undefined || value === "" || value === "Strict") return "Strict";
  if (value === "Warn" || value === "Ignore") return value;
  throw invalidField(
    "fieldValidation",
    `Unsupported value: ${JSON.stringify(value)}: supported values: "Ignore", "Strict", "Warn"`,
    "FieldValueNotSupported",
  );
}

export function listQuery(c: ApiContext, namespace: string | undefined): ListOptions {
  return {
    namespace,
    labelSelector: c.req.query("labelSelector") || undefined,
    fieldSelector: c.req.query("fieldSelector") || undefined,
    limit: wholeNumber(c, "limit") || undefined,
    continue: c.req.query("continue") || undefined,
  };
}

/** The revision that a list is to be true at, where the client wants no other. */
export function exactRevision(c: ApiContext): number | undefined {
  const match = c.req.query("resourceVersionMatch") || undefined;
  if (match === undefined) return undefined;
  const field = "resourceVersionMatch";
  if (match !== "Exact" && match !== "NotOlderThan") {
    const supported = 'supported values: "Exact", "NotOlderThan"';
    throw invalidField(field, `Unsupported value: ${JSON.stringify(match)}: ${supported}`, "FieldValueNotSupported");
  }
  const revision = wholeNumber(c, "resourceVersion");
  if (c.req.query("continue")) {
    throw invalidField(field, "Forbidden: resourceVersionMatch is forbidden for continue", "FieldValueForbidden");
  }
  if (revision === undefined) {
    const message = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided";
    throw invalidField(field, message, "FieldValueForbidden");
  }
  if (match === "NotOlderThan") return undefined;
  if (revision > 0) return revision;
  throw invalidField(
    field,
    'Forbidden: resourceVersionMatch "Exact" is forbidden for resourceVersion "0"',
    "FieldValueForbidden",
  );
}

export function flag(c: ApiContext, name: string): boolean {
  const value = c.req.query(name);
  return value === "true" || value === "1";
}

export function wholeNumber(c: ApiContext, name: string): number | undefined {
  const value = c.req.query(name);
  if (value === undefined || value === "") return undefined;
  if (/^\d{1,15}$/.test(value)) return Number(value);
  throw new HttpError("BadRequest", `${name}: Invalid value: ${JSON.stringify(value)}: must be a whole number`);
}

/** The revision that a list or watch names; undefined and 0 mean that any will do. */
export async function revisionQuery(c: ApiContext, newest: () => Promise<number>): Promise<number | undefined> {
  const wanted = wholeNumber(c, "resourceVersion");
  if (!wanted) return undefined;
  const current = await newest();
  if (wanted <= current) return wanted;
  throw new HttpError("Timeout", `Too large resource version: ${wanted}, current: ${current}`, {
    details: {
      causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
      retryAfterSeconds: 1,
    },
    headers: { "retry-after": "1" },
  });
}
