// How an object is shown, by the Accept header: whole, as a row of a table, or its metadata alone.

import type { ListPage } from "../../controller/store/store.ts";
import { type AnyResource, apiVersionOf, type KindDef } from "../../crds/resource.ts";
import type { ApiContext } from "../api.ts";
import { HttpError, invalidField } from "../http-error.ts";
import { type IncludeObject, partial, type TableOf, tableOf } from "./table.ts";

export type Shape = "Object" | "Table" | "Metadata";

export interface Representation {
  object(c: ApiContext, object: AnyResource): object;
  list(c: ApiContext, page: ListPage<AnyResource>): object;
  /** The object of a watch event, as JSON text; `json` is the object as it was serialised for everyone. */
  eventJson(c: ApiContext, shape: Shape, object: AnyResource, json: string): string;
  /** An object that says no more than a revision. */
  bookmark(shape: Shape, revision: number, annotations: object | undefined): object;
}

export function representation(kind: KindDef, now: () => number): Representation {
  const table: TableOf = tableOf(kind);
  const asTable = (c: ApiContext, items: readonly AnyResource[], metadata: object) =>
    table(items, metadata, { nowMs: now(), includeObject: includeObjectOf(c) });
  const rowOf = (c: ApiContext, object: AnyResource) =>
    asTable(c, [object], { resourceVersion: object.metadata.resourceVersion });

  return {
    object(c, object) {
      switch (shapeOf(c)) {
        case "Object":
          return object;
        case "Table":
          return rowOf(c, object);
        case "Metadata":
          return partial(object);
      }
    },
    list(c, page) {
      const metadata = {
        resourceVersion: String(page.revision),
        ...(page.continue ? { continue: page.continue } : {}),
        ...(page.remaining ? { remainingItemCount: page.remaining } : {}),
      };
      switch (shapeOf(c)) {
        case "Object":
          return { kind: `${kind.kind}List`, apiVersion: apiVersionOf(kind), metadata, items: page.items };
        case "Table":
          return asTable(c, page.items, metadata);
        case "Metadata":
          return {
            kind: "PartialObjectMetadataList",
            apiVersion: "meta.k8s.io/v1",
            metadata,
            items: page.items.map(partial),
          };
      }
    },
    eventJson(c, shape, object, json) {
      if (shape === "Object") return json;
      return JSON.stringify(shape === "Table" ? rowOf(c, object) : partial(object));
    },
    bookmark(shape, revision, annotations) {
      const metadata = { resourceVersion: String(revision), ...(annotations ? { annotations } : {}) };
      if (shape === "Table") return table([], metadata, { nowMs: now(), includeObject: "None" });
      if (shape === "Metadata") return { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata };
      return { kind: kind.kind, apiVersion: apiVersionOf(kind), metadata };
    },
  };
}

/** The first of the accepted types that we can give; whole objects when the client does not care. */
export function shapeOf(c: ApiContext): Shape {
  const accept = c.req.header("accept");
  if (accept === undefined || accept === "application/json" || accept === "*/*") return "Object";
  for (const option of accept.split(",")) {
    const [type = "", ...parameters] = option.split(";").map((part) => part.trim());
    if (type !== "application/json" && type !== "*/*" && type !== "application/*") continue;
    const as = parameters.find((each) => each.startsWith("as="))?.slice("as=".length);
    if (as === undefined) return "Object";
    if (!parameters.includes("v=v1")) continue;
    if (as === "Table") return "Table";
    if (as === "PartialObjectMetadata" || as === "PartialObjectMetadataList") return "Metadata";
  }
  throw new HttpError("NotAcceptable", "only the following media types are accepted: application/json");
}

function includeObjectOf(c: ApiContext): IncludeObject {
  const value = c.req.query("includeObject") || "Metadata";
  if (value === "None" || value === "Metadata" || value === "Object") return value;
  throw invalidField(
    "includeObject",
    `Unsupported value: ${JSON.stringify(value)}: supported values: "None", "Metadata", "Object"`,
  );
}
