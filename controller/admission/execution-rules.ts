// Execution: its instance is named by a name that can exist, and a cancel is final. Whether the instance runs is the API's
// question and the controller's: it may change at any time.
import type { Execution } from "../../crds/execution.ts";
import { NAME_PATTERN } from "../../crds/resource.ts";
import { cancelCauses } from "./cancel.ts";
import { invalidValue } from "./causes.ts";
import type { KindRules } from "./kind-rules.ts";

export const executionRules: KindRules<Execution> = {
  check: ({ spec }, current) => [
    ...(NAME_PATTERN.test(spec.instance)
      ? []
      : [
          {
            reason: "FieldValueInvalid" as const,
            field: "spec.instance",
            message: invalidValue(spec.instance, "must be the name of an instance of this namespace"),
          },
        ]),
    ...cancelCauses(spec, current?.spec),
  ],
};
