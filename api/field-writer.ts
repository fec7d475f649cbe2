// Who writes: the fieldManager of the request or, where it names none, the first word of its User-Agent, as in Kubernetes.
import type { FieldWriter } from "../controller/admission/admission.ts";
import { type Clock, timestamp } from "../controller/kernel/clock.ts";
import type { ApiContext } from "./api.ts";
import { HttpError } from "./http-error.ts";

/** Kubernetes' bound, in bytes. */
const MANAGER_MAX = 128;
const UNKNOWN = "unknown";

export function fieldWriter(c: ApiContext, clock: Pick<Clock, "now">): FieldWriter {
  return { manager: givenManager(c, "update") ?? fromUserAgent(c), time: timestamp(clock.now()) };
}

/** What is applied is compared with what its manager has applied before: one must be named. */
export function applyWriter(c: ApiContext, clock: Pick<Clock, "now">): FieldWriter {
  const manager = givenManager(c, "patch");
  if (manager === undefined) throw refused("patch", "fieldManager", "FieldValueRequired", REQUIRED);
  return { manager, time: timestamp(clock.now()) };
}

/** Only what is applied can be forced upon others. */
export function refuseForce(c: ApiContext): void {
  if (c.req.query("force") === undefined) return;
  throw refused("patch", "force", "FieldValueForbidden", "Forbidden: may not be specified for non-apply patch");
}

const REQUIRED = "Required value: is required for apply patch";

function givenManager(c: ApiContext, verb: Verb): string | undefined {
  const manager = c.req.query("fieldManager") || undefined;
  if (manager === undefined) return undefined;
  if (Buffer.byteLength(manager) > MANAGER_MAX) {
    throw refused(verb, "fieldManager", "FieldValueTooLong", `Too long: may not be more than ${MANAGER_MAX} bytes`);
  }
  if (/[^\P{C} ]/u.test(manager)) throw refused(verb, "fieldManager", "FieldValueInvalid", unprintable(manager));
  return manager;
}

function fromUserAgent(c: ApiContext): string {
  const [product = ""] = (c.req.header("user-agent") ?? "").split("/");
  return product.replace(/[^\x20-\x7e]/g, "").slice(0, MANAGER_MAX) || UNKNOWN;
}

type Verb = "update" | "patch";

function refused(verb: Verb, field: string, reason: string, message: string): HttpError {
  const kind = verb === "patch" ? "PatchOptions" : "UpdateOptions";
  return new HttpError("Invalid", `${kind}.meta.k8s.io "" is invalid: ${field}: ${message}`, {
    details: { group: "meta.k8s.io", kind, causes: [{ reason, message, field }] },
  });
}

function unprintable(manager: string): string {
  return `Invalid value: ${JSON.stringify(manager)}: should only contain printable characters`;
}
