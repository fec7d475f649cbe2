// Create, replace, patch and delete of one kind, and its status subresource. What may be written is admission's to say; here
// the request is taken apart and the answer put together.

import { InvalidError, type Propagation } from "../../controller/admission/admission.ts";
import { isJsonObject, type Json, type JsonObject, mergePatch } from "../../controller/kernel/json.ts";
import { everything } from "../../controller/store/all-pages.ts";
import { NotFoundError, StaleWriteError } from "../../controller/store/errors.ts";
import type { Key, Precondition } from "../../controller/store/store.ts";
import { type AnyResource, apiVersionOf, GROUP, type KindDef, qualifiedResource } from "../../crds/resource.ts";
import type { ApiContext, ApiOptions } from "../api.ts";
import { optionalBody, parsedBody } from "../body.ts";
import { applyWriter, fieldWriter, refuseForce } from "../field-writer.ts";
import { HttpError, invalidField } from "../http-error.ts";
import { mediaType } from "../request-guard.ts";
import { jsonPatch } from "./json-patch.ts";
import { dryRunOf, flag, listQuery, writeQuery } from "./query.ts";
import type { Representation } from "./representation.ts";

const APPLY_PATCH = "application/apply-patch+yaml";
const UNSUPPORTED_PATCH = `the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, ${APPLY_PATCH}`;

export type Part = "whole" | "status";

export interface ResourceWrites {
  create(c: ApiContext, namespace: string | undefined): Promise<Response>;
  replace(c: ApiContext, key: Key, part: Part): Promise<Response>;
  patch(c: ApiContext, key: Key, part: Part): Promise<Response>;
  remove(c: ApiContext, key: Key): Promise<Response>;
  removeAll(c: ApiContext, namespace: string | undefined): Promise<Response>;
}

export function resourceWrites(
  kind: KindDef,
  { admission, store, clock }: Pick<ApiOptions, "admission" | "store" | "clock">,
  shown: Representation,
): ResourceWrites {
  async function write(
    c: ApiContext,
    key: Key,
    part: Part,
    next: (current: AnyResource) => unknown,
    precondition: Precondition,
  ): Promise<Response> {
    const options = { ...admissionOptions(c), writer: fieldWriter(c, clock), ...precondition };
    const written =
      part === "whole"
        ? await admission.update(kind, key, next, options)
        : await admission.updateStatus(kind, key, (current) => statusOf(next(current)), options);
    return c.json(shown.object(c, written));
  }

  async function apply(c: ApiContext, key: Key, part: Part): Promise<Response> {
    const writer = applyWriter(c, clock);
    const wanted = inNamespace(kind, await objectBody(c, kind), key.namespace);
    requireSameName(wanted, key);
    if (isJsonObject(wanted.metadata) && wanted.metadata.managedFields !== undefined) {
      throw new HttpError("BadRequest", "metadata.managedFields must be nil; leave it out of what you apply");
    }
    const options = { ...admissionOptions(c), ...preconditionOf(wanted), writer, force: flag(c, "force") };
    if (part === "status") return c.json(shown.object(c, await admission.applyStatus(kind, key, wanted, options)));
    const { object, created } = await admission.apply(kind, key, wanted, options);
    return c.json(shown.object(c, object), created ? 201 : 200);
  }

  return {
    async create(c, namespace) {
      const object = inNamespace(kind, await objectBody(c, kind), namespace);
      const options = { ...admissionOptions(c), writer: fieldWriter(c, clock) };
      return c.json(shown.object(c, await admission.create(kind, object, options)), 201);
    },

    async replace(c, key, part) {
      const object = inNamespace(kind, await objectBody(c, kind), key.namespace);
      const precondition = preconditionOf(object);
      requireSameName(object, key);
      if (precondition.resourceVersion === undefined) throw unconditional(kind, key);
      return write(c, key, part, () => object, precondition);
    },

    async patch(c, key, part) {
      const type = mediaType(c.req.header("content-type") ?? "application/merge-patch+json");
      if (type === APPLY_PATCH) return apply(c, key, part);
      refuseForce(c);
      const body = await parsedBody(c, duplicateField(c));
      if (type === "application/merge-patch+json") {
        if (!isJsonObject(body)) throw new HttpError("BadRequest", "a merge patch must be an object");
        return write(c, key, part, (current) => mergePatch(asJson(current), body), preconditionOf(body));
      }
      if (type === "application/json-patch+json") {
        return write(c, key, part, (current) => jsonPatch(asJson(current), body), {});
      }
      throw new HttpError("UnsupportedMediaType", UNSUPPORTED_PATCH);
    },

    async remove(c, key) {
      const { dryRun, propagation, precondition } = await deleteOptions(c);
      const last = await admission.delete(kind, key, { ...precondition, propagation, dryRun });
      return c.json(last.metadata.finalizers?.length ? shown.object(c, last) : deleted(kind, last));
    },

    async removeAll(c, namespace) {
      const { dryRun, propagation } = await deleteOptions(c);
      const wanted = listQuery(c, namespace);
      const page = await (wanted.limit === undefined ? everything(store, kind, wanted) : store.list(kind, wanted));
      for (const { metadata } of page.items) {
        const key = { namespace: metadata.namespace, name: metadata.name };
        await ifThere(admission.delete(kind, key, { uid: metadata.uid, propagation, dryRun }));
      }
      return c.json(shown.list(c, page));
    },
  };
}

function admissionOptions(c: ApiContext) {
  const warned = new Set<string>();
  return {
    ...writeQuery(c),
    warn(message: string): void {
      if (warned.has(message)) return;
      warned.add(message);
      c.header("warning", `299 - ${JSON.stringify(message)}`, { append: true });
    },
  };
}

/** What becomes of a field that stands twice, as the request's fieldValidation has it. */
function duplicateField(c: ApiContext): ((path: string) => void) | undefined {
  const { fieldValidation, warn } = admissionOptions(c);
  if (fieldValidation === "Ignore") return undefined;
  return (path) => {
    const text = `duplicate field ${JSON.stringify(path)}`;
    if (fieldValidation === "Warn") return warn(text);
    throw new HttpError("BadRequest", `strict decoding error: ${text}; say it once`);
  };
}

async function objectBody(c: ApiContext, kind: KindDef): Promise<JsonObject> {
  const body = await parsedBody(c, duplicateField(c));
  if (!isJsonObject(body)) throw new HttpError("BadRequest", "the body must be one object");
  // Typed clients of the built-in kinds leave it to the URL to say what they send.
  const typed = kind.group === GROUP || body.kind !== undefined || body.apiVersion !== undefined;
  return typed ? body : { apiVersion: apiVersionOf(kind), kind: kind.kind, ...body };
}

/** The namespace of the URL, which the object may leave out and must not contradict. */
function inNamespace(kind: KindDef, object: JsonObject, namespace: string | undefined): JsonObject {
  if (kind.scope === "Cluster") return object;
  const metadata = object.metadata === undefined ? {} : object.metadata;
  if (!isJsonObject(metadata)) return object; // admission says what is wrong with it
  if (metadata.namespace === namespace) return object;
  if (metadata.namespace) {
    throw new HttpError(
      "BadRequest",
      "the namespace of the provided object does not match the namespace sent on the request",
    );
  }
  return { ...object, metadata: { ...metadata, namespace } };
}

function requireSameName(object: JsonObject, key: Key): void {
  const name = isJsonObject(object.metadata) ? object.metadata.name : undefined;
  if (name === key.name) return;
  throw new HttpError(
    "BadRequest",
    `the name of the object (${String(name)}) does not match the name on the URL (${key.name})`,
  );
}

/** What the client has read, if it says so. */
function preconditionOf({ metadata }: JsonObject): Precondition {
  if (!isJsonObject(metadata)) return {};
  const { uid, resourceVersion } = metadata;
  return {
    ...(typeof uid === "string" ? { uid } : {}),
    ...(typeof resourceVersion === "string" && resourceVersion !== "" ? { resourceVersion } : {}),
  };
}

function unconditional(kind: KindDef, key: Key): InvalidError {
  const message =
    "Invalid value: 0x0: must be specified for an update; read the object and send its resourceVersion back";
  return new InvalidError(kind, key.name, [
    { reason: "FieldValueInvalid", field: "metadata.resourceVersion", message },
  ]);
}

function statusOf(object: unknown): unknown {
  return isJsonObject(object) ? object.status : undefined;
}

/** Objects of the store are JSON; their interfaces only lack the index signature. */
function asJson(object: AnyResource): Json {
  return object as AnyResource & JsonObject;
}

interface DeleteOptions {
  readonly dryRun: boolean;
  readonly propagation: Propagation;
  readonly precondition: Precondition;
}

const PROPAGATION: readonly Propagation[] = ["Background", "Foreground", "Orphan"];

/** From the body or the query. */
async function deleteOptions(c: ApiContext): Promise<DeleteOptions> {
  const body = (await optionalBody(c)) ?? {};
  if (!isJsonObject(body)) throw new HttpError("BadRequest", "DeleteOptions must be an object");
  const policy = body.propagationPolicy ?? c.req.query("propagationPolicy") ?? formerPolicy(body.orphanDependents);
  const propagation = PROPAGATION.find((each) => each === policy);
  if (propagation === undefined) {
    const supported = PROPAGATION.map((each) => JSON.stringify(each)).join(", ");
    const message = `Unsupported value: ${JSON.stringify(policy)}: supported values: ${supported}`;
    throw invalidField("propagationPolicy", message, "FieldValueNotSupported");
  }
  return {
    propagation,
    dryRun: dryRunOf(Array.isArray(body.dryRun) ? body.dryRun : c.req.queries("dryRun")),
    precondition: preconditionOf({ metadata: body.preconditions }),
  };
}

/** How it was said before there were policies. */
function formerPolicy(orphanDependents: unknown): Propagation {
  return orphanDependents === true ? "Orphan" : "Background";
}

function deleted(kind: KindDef, { metadata }: AnyResource): object {
  const details = {
    name: metadata.name,
    ...(kind.group === "" ? {} : { group: kind.group }),
    kind: kind.plural,
    uid: metadata.uid,
  };
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details };
}

/** `instances.fly.lightfast.ai "x" not found` */
export function notFound(kind: KindDef, name: string): HttpError {
  return new HttpError("NotFound", `${qualifiedResource(kind)} "${name}" not found`, {
    details: { name, ...(kind.group === "" ? {} : { group: kind.group }), kind: kind.plural },
  });
}

/** What somebody else has deleted meanwhile need not be deleted again; another object of its name was not asked for. */
async function ifThere(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof NotFoundError || error instanceof StaleWriteError)) throw error;
  }
}
