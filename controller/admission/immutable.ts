// Fields that may not change once set, with the reason that the kind gives.
import type { AnyResource, KindDef } from "../../crds/resource.ts";
import { isJsonObject, jsonEqual } from "../kernel/json.ts";
import type { Cause } from "./admission.ts";
import { invalidValue } from "./causes.ts";
import type { KindRules } from "./kind-rules.ts";

export function immutableCauses(kind: KindDef, rules: KindRules, next: object, current: AnyResource): readonly Cause[] {
  return kind.immutable.flatMap(({ path, reason }): readonly Cause[] => {
    const before = at(current, path);
    const after = at(next, path);
    if (before === undefined || jsonEqual(before, after) || rules.mayStillChange?.(path, current)) return [];
    return [
      {
        reason: "FieldValueInvalid",
        field: path,
        message: invalidValue(after ?? null, `field is immutable: ${reason}`),
      },
    ];
  });
}

function at(object: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => (isJsonObject(value) ? value[key] : undefined), object);
}
