// One manifest brought to the server, as kubectl's client-side apply does it: create what is not there, else patch.
import { isDeepStrictEqual } from "node:util";
import { Failure, isConflict, isNotFound } from "./failure.ts";
import { type Manifest, namespaceOf } from "./manifests.ts";
import type { ApiObject, Json } from "./object.ts";
import { pathOf, type ResourceType, resourceOfManifest } from "./resources.ts";
import type { Session } from "./session.ts";
import { lastApplied, threeWayPatch, withLastApplied } from "./three-way.ts";

/** The name under which this protocol's fields are owned; kubectl takes them over from it for server-side apply. */
export const FIELD_MANAGER = "kubectl-client-side-apply";

/** Someone else may create, change or delete the object between our read and our write; not for ever, though. */
const ATTEMPTS = 5;

export interface Applied {
  readonly type: ResourceType;
  readonly outcome: "created" | "configured" | "unchanged";
  readonly before: ApiObject | undefined;
  readonly after: ApiObject;
}

export async function applyManifest(session: Session, manifest: Manifest, dryRun: boolean): Promise<Applied> {
  const type = resourceOfManifest(manifest.apiVersion, manifest.kind, await session.kinds());
  const { name } = manifest.metadata;
  if (name === undefined) {
    throw new Failure(
      "metadata.generateName cannot be applied, for a second apply could not find it; use `flywheel create -f`",
    );
  }
  const namespace = type.namespaced ? namespaceOf(manifest, session) : undefined;
  const modified = withLastApplied(manifest.object, namespace);
  for (let attempt = 1; ; attempt++) {
    const before = await read(session, pathOf(type, namespace, name));
    try {
      const after = before
        ? await patch(session, pathOf(type, namespace, name), before, modified, dryRun)
        : await create(session, pathOf(type, namespace), modified, dryRun);
      return { type, before, after, outcome: outcomeOf(before, after) };
    } catch (error) {
      // Created or changed behind our back, or deleted. A create that finds nothing to create in is no race.
      const raced = isConflict(error) || (before !== undefined && isNotFound(error));
      if (!raced || attempt === ATTEMPTS) throw error;
    }
  }
}

export function create(session: Session, collection: string, object: Json, dryRun: boolean): Promise<ApiObject> {
  return session.client.json<ApiObject>(collection, { method: "POST", query: writeQuery(dryRun), body: object });
}

async function read(session: Session, path: string): Promise<ApiObject | undefined> {
  try {
    return await session.client.json<ApiObject>(path);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function patch(
  session: Session,
  path: string,
  before: ApiObject,
  modified: Json,
  dryRun: boolean,
): Promise<ApiObject> {
  // An object is JSON, whatever else its interface says of it.
  const current = before as unknown as Json;
  const body = threeWayPatch(lastApplied(current), modified, current);
  if (Object.keys(body).length === 0) return before;
  const contentType = "application/merge-patch+json";
  return session.client.json<ApiObject>(path, { method: "PATCH", query: writeQuery(dryRun), body, contentType });
}

function writeQuery(dryRun: boolean) {
  return { fieldManager: FIELD_MANAGER, fieldValidation: "Strict", dryRun: dryRun ? "All" : undefined };
}

/** A patch that only spells out defaults changes nothing; and what the controller reports meanwhile is not our doing. */
function outcomeOf(before: ApiObject | undefined, after: ApiObject): Applied["outcome"] {
  if (!before) return "created";
  return isDeepStrictEqual(configurationOf(before), configurationOf(after)) ? "unchanged" : "configured";
}

function configurationOf(object: ApiObject): unknown {
  const { resourceVersion, managedFields, ...metadata } = object.metadata;
  const { status, ...rest } = object;
  return { ...rest, metadata };
}
