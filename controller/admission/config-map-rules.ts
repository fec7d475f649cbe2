// Data that says it is immutable stays as it is, and says so for good.
import type { ConfigMap } from "../../crds/config-map.ts";
import { jsonEqual } from "../kernel/json.ts";
import type { Cause } from "./admission.ts";
import type { KindRules } from "./kind-rules.ts";

const MEMBERS = ["data", "binaryData", "immutable"] as const;

export const configMapRules: KindRules<ConfigMap> = {
  check(object, current): readonly Cause[] {
    if (current?.immutable !== true) return [];
    return MEMBERS.filter((member) => !jsonEqual(object[member], current[member])).map((member) => ({
      reason: "FieldValueForbidden",
      field: member,
      message: "Forbidden: field is immutable when `immutable` is set; delete the object and make another one",
    }));
  },
};
