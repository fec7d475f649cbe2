// `kubectl get` as the server prints it: columns from the kind, ages as text, since kubectl prints cells verbatim.
import type { AnyResource, Column, KindDef } from "../../crds/resource.ts";
import { age } from "./age.ts";
import { type JsonPath, jsonPath } from "./json-path.ts";

export type IncludeObject = "None" | "Metadata" | "Object";

export interface Table {
  readonly kind: "Table";
  readonly apiVersion: "meta.k8s.io/v1";
  readonly metadata: object;
  readonly columnDefinitions: readonly object[];
  readonly rows: readonly object[];
}

export type TableOf = (
  items: readonly AnyResource[],
  metadata: object,
  options: { readonly nowMs: number; readonly includeObject: IncludeObject },
) => Table;

/** Compiles the columns of a kind. */
export function tableOf(kind: KindDef): TableOf {
  const columns = kind.columns.map((column) => ({ column, path: jsonPath(column.jsonPath) }));
  const columnDefinitions = [
    { name: "Name", type: "string", format: "name", description: `Name of the ${kind.singular}.`, priority: 0 },
    ...kind.columns.map(definition),
  ];
  return (items, metadata, { nowMs, includeObject }) => ({
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata,
    columnDefinitions,
    rows: items.map((item) => ({
      cells: [item.metadata.name, ...columns.map(({ column, path }) => cell(column, path, item, nowMs))],
      ...(includeObject === "None" ? {} : { object: includeObject === "Object" ? item : partial(item) }),
    })),
  });
}

export function partial(object: AnyResource): object {
  return { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata };
}

function definition(column: Column): object {
  return {
    name: column.name,
    type: column.type,
    format: "",
    description: column.description ?? column.jsonPath,
    priority: column.priority ?? 0,
  };
}

/** Null is printed as an empty cell. */
function cell(column: Column, path: JsonPath, item: AnyResource, nowMs: number): unknown {
  const [value] = path(item);
  if (column.count) return typeof value === "object" && value !== null ? Object.keys(value).length : 0;
  if (value === undefined) return null;
  if (column.type === "date") return ageSince(String(value), nowMs);
  return typeof value === "object" ? JSON.stringify(value) : value;
}

function ageSince(timestamp: string, nowMs: number): string {
  const since = Date.parse(timestamp);
  return Number.isNaN(since) ? "<unknown>" : age(nowMs - since);
}
