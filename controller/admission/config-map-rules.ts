// Data that says it is immutable stays as it is, and says so for good.
import type { ConfigMap } from "../../crds/config-map.ts";
import { jsonEqual } from "../kernel/json.ts";
import type { Cause } from "./admission.ts";
import type { KindRules } from "./kind-rules.ts";

export const configMapRules: KindRules<ConfigMap> = {
  check: (object, current) => frozenDataCauses(["data", "binaryData", "immutable"], object, current),
};

/** One cause for each of `members` that differs from an object that is immutable. */
export function frozenDataCauses<T extends { readonly immutable?: boolean | undefined }>(
  members: readonly (keyof T & string)[],
  object: T,
  current: T | undefined,
): readonly Cause[] {
  if (current?.immutable !== true) return [];
  return members
    .filter((member) => !jsonEqual(object[member], current[member]))
    .map((field) => ({
      reason: "FieldValueForbidden",
      field,
      message: "Forbidden: field is immutable when `immutable` is set; delete the object and make another one",
    }));
}
