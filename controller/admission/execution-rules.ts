// Execution: a cancel is final. Whether the instance runs is the API's question and the controller's: it may change at any
// time.
import type { Execution } from "../../crds/execution.ts";
import { cancelCauses } from "./cancel.ts";
import type { KindRules } from "./kind-rules.ts";

export const executionRules: KindRules<Execution> = {
  check: ({ spec }, current) => cancelCauses(spec, current?.spec),
};
