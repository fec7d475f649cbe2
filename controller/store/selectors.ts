// Which objects a list or a watch is about: label and field selectors together.
import type { AnyResource } from "../../crds/resource.ts";
import { matchesFields, parseFieldSelector } from "./field-selector.ts";
import { parseLabelSelector } from "./label-selector.ts";

export interface SelectorText {
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

export interface Selector {
  matches(object: AnyResource): boolean;
  /** True when it selects everything, so that no object needs to be looked at. */
  readonly everything: boolean;
  /** The only name and namespace that it can select, where it says so: they are indexed. */
  readonly name: string | undefined;
  readonly namespace: string | undefined;
}

/** BadRequestError when one of them cannot be read. */
export function parseSelector({ labelSelector = "", fieldSelector = "" }: SelectorText): Selector {
  const labels = parseLabelSelector(labelSelector);
  const fields = parseFieldSelector(fieldSelector);
  const required = (path: string) => fields.find((each) => each.equal && each.path === path)?.value;
  return {
    matches: (object) => labels(object.metadata.labels ?? {}) && matchesFields(fields, object),
    everything: labelSelector.trim() === "" && fields.length === 0,
    name: required("metadata.name"),
    namespace: required("metadata.namespace"),
  };
}
