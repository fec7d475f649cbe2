// The operations of a kind, as the routes of resources.ts serve them. kubectl looks here for two things: the kind of a PATCH,
// and whether it takes `fieldValidation`; with both it leaves validation to the server.
import { apiVersionOf, type KindDef, type Subresource } from "../../../crds/resource.ts";
import { groupVersionKind, metaReference, reference, type Schema, schemaName } from "./components.ts";

type Operation = Readonly<Record<string, unknown>>;
export type Paths = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

const query = (name: string, type: "string" | "boolean" | "integer", description: string) => ({
  name,
  in: "query",
  description,
  schema: { type },
});

const WRITE = [
  query("dryRun", "string", "All: say what would happen, and change nothing."),
  query("fieldManager", "string", "Who makes this change."),
  query("fieldValidation", "string", "What to do with unknown fields: Strict (the default), Warn or Ignore."),
];
const FORCE = query("force", "boolean", "Server-side apply: take fields over from other managers.");
const SELECT = [
  query("labelSelector", "string", "Only objects with these labels."),
  query("fieldSelector", "string", "Only objects with these fields."),
];
const LIST = [
  ...SELECT,
  query("limit", "integer", "Objects on a page."),
  query("continue", "string", "The next page of an earlier list."),
  query("resourceVersion", "string", "The revision that must at least be reached; of a watch, where it goes on."),
  query("resourceVersionMatch", "string", "How resourceVersion is meant."),
  query("watch", "boolean", "Go on with every change, a JSON text a line."),
  query("allowWatchBookmarks", "boolean", "Of a watch: say now and then which revision it has reached."),
  query("sendInitialEvents", "boolean", "Of a watch: begin with what exists, then say so with a bookmark."),
  query("timeoutSeconds", "integer", "How long a watch may last."),
];
const DELETE = [
  query("dryRun", "string", "All: change nothing."),
  query("propagationPolicy", "string", "See DeleteOptions."),
];

const json = (schema: Schema) => ({ "application/json": { schema } });
const answers = (schema: Schema, ...codes: readonly number[]) =>
  Object.fromEntries(codes.map((code) => [String(code), { description: "OK", content: json(schema) }]));

export function pathsOf(kind: KindDef): Paths {
  const root = kind.group === "" ? `/api/${kind.version}` : `/apis/${apiVersionOf(kind)}`;
  const namespaced = kind.scope === "Namespaced";
  const home = namespaced ? `${root}/namespaces/{namespace}/${kind.plural}` : `${root}/${kind.plural}`;
  const scope = namespaced ? [pathParameter("namespace", "The namespace.")] : [];
  const named = [...scope, pathParameter("name", `Name of the ${kind.singular}.`)];
  return {
    ...(namespaced ? { [`${root}/${kind.plural}`]: { get: list(kind, "ForAllNamespaces") } } : {}),
    [home]: { parameters: scope, get: list(kind), post: create(kind), delete: removeAll(kind) },
    [`${home}/{name}`]: { parameters: named, ...oneOf(kind), delete: remove(kind) },
    ...(kind.fields.status ? { [`${home}/{name}/status`]: { parameters: named, ...oneOf(kind, "Status") } } : {}),
    ...Object.fromEntries(
      (kind.subresources ?? []).map((part) => [
        `${home}/{name}/${part.name}`,
        { parameters: named, get: read(kind, part) },
      ]),
    ),
  };
}

function pathParameter(name: string, description: string): object {
  return { name, in: "path", required: true, description, schema: { type: "string" } };
}

function operation(kind: KindDef, action: string, verb: string, rest: Operation, part = ""): Operation {
  const scope = kind.scope === "Namespaced" && part !== "ForAllNamespaces" ? "Namespaced" : "";
  return {
    description: `${verb} ${action === "list" || action === "deletecollection" ? kind.plural : `the ${kind.singular}`}`,
    operationId: `${verb}${scope}${kind.kind}${part}`,
    tags: [kind.group === "" ? "core" : kind.group],
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": groupVersionKind(kind),
    ...rest,
  };
}

function list(kind: KindDef, part = ""): Operation {
  const responses = answers(reference(schemaName(kind, "List")), 200);
  return operation(kind, "list", "list", { parameters: LIST, responses }, part);
}

function read(kind: KindDef, { name, contentType, description }: Subresource): Operation {
  const content = { [contentType]: { schema: { type: "string" } } };
  const part = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  const responses = { "200": { description, content } };
  return { ...operation(kind, "get", "read", { responses }, part), description };
}

function create(kind: KindDef): Operation {
  const object = reference(schemaName(kind));
  const requestBody = { required: true, content: json(object) };
  return operation(kind, "post", "create", {
    parameters: WRITE,
    requestBody,
    responses: answers(object, 200, 201, 202),
  });
}

function oneOf(kind: KindDef, part = ""): Operation {
  const object = reference(schemaName(kind));
  const patch = metaReference("Patch");
  const patchTypes = ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"];
  return {
    get: operation(kind, "get", "read", { responses: answers(object, 200) }, part),
    put: operation(
      kind,
      "put",
      "replace",
      {
        parameters: WRITE,
        requestBody: { required: true, content: json(object) },
        responses: answers(object, 200, 201),
      },
      part,
    ),
    patch: operation(
      kind,
      "patch",
      "patch",
      {
        parameters: [...WRITE, FORCE],
        requestBody: {
          required: true,
          content: Object.fromEntries(patchTypes.map((type) => [type, { schema: patch }])),
        },
        responses: answers(object, 200, 201),
      },
      part,
    ),
  };
}

const DELETE_BODY = { content: json(metaReference("DeleteOptions")) };

function remove(kind: KindDef): Operation {
  const responses = answers(metaReference("Status"), 200, 202);
  return operation(kind, "delete", "delete", { parameters: DELETE, requestBody: DELETE_BODY, responses });
}

function removeAll(kind: KindDef): Operation {
  const responses = answers(metaReference("Status"), 200);
  const parameters = [...SELECT, ...DELETE];
  return operation(kind, "deletecollection", "deleteCollection", { parameters, requestBody: DELETE_BODY, responses });
}
