// A kind of its own for store tests: small objects, and no rule but the store's.
import { z } from "zod";
import type { JsonObject } from "../../controller/kernel/json.ts";
import type { Draft } from "../../controller/store/store.ts";
import type { AnyResource, KindDef, Resource } from "../../crds/resource.ts";

export interface WidgetSpec {
  readonly size: number;
}
export type Widget = Resource<WidgetSpec, { readonly phase: string }, "Widget">;

export const widgetKind: KindDef<Widget> = {
  group: "test.example",
  version: "v1",
  kind: "Widget",
  plural: "widgets",
  singular: "widget",
  shortNames: [],
  categories: [],
  scope: "Namespaced",
  description: "Something to store.",
  fields: { spec: z.unknown(), status: z.unknown() },
  columns: [],
  immutable: [],
};

/** Cluster-scoped, and another kind with the same names. */
export const planetKind: KindDef<AnyResource> = {
  ...widgetKind,
  kind: "Planet",
  plural: "planets",
  singular: "planet",
  scope: "Cluster",
};

export function widget(name: string, more: Partial<Draft["metadata"]> = {}, size = 1): () => Draft & JsonObject {
  return () => ({
    apiVersion: "test.example/v1",
    kind: "Widget",
    metadata: { namespace: "default", ...more, name },
    spec: { size },
  });
}

export function planet(name: string): () => Draft & JsonObject {
  return () => ({ apiVersion: "test.example/v1", kind: "Planet", metadata: { name } });
}

/** Sets the size; everything else stays. */
export const sized =
  (size: number) =>
  (current: Widget): Widget => ({ ...current, spec: { size } });

export const labelled =
  (labels: Readonly<Record<string, string>>) =>
  (current: Widget): Widget => ({ ...current, metadata: { ...current.metadata, labels } });

export const held =
  (...finalizers: readonly string[]) =>
  (current: Widget): Widget => ({ ...current, metadata: { ...current.metadata, finalizers } });

export const at = (name: string, namespace = "default") => ({ namespace, name });
