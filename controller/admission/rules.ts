// Which kind has which rules: the one table.
import { configMapKind } from "../../crds/config-map.ts";
import { eventKind } from "../../crds/event.ts";
import { executionKind } from "../../crds/execution.ts";
import { instanceKind } from "../../crds/instance.ts";
import { leaseKind } from "../../crds/lease.ts";
import { namespaceKind } from "../../crds/namespace.ts";
import type { KindDef } from "../../crds/resource.ts";
import { secretKind } from "../../crds/secret.ts";
import { workflowKind } from "../../crds/workflow.ts";
import { workflowRunKind } from "../../crds/workflow-run.ts";
import { configMapRules } from "./config-map-rules.ts";
import { executionRules } from "./execution-rules.ts";
import { instanceRules } from "./instance-rules.ts";
import type { KindRules } from "./kind-rules.ts";
import { secretRules } from "./secret-rules.ts";
import { workflowRules } from "./workflow-rules.ts";
import { workflowRunRules } from "./workflow-run-rules.ts";

const RULES: ReadonlyMap<KindDef, KindRules> = new Map<KindDef, KindRules>([
  [instanceKind, instanceRules],
  [workflowKind, workflowRules],
  [workflowRunKind, workflowRunRules],
  [executionKind, executionRules],
  [configMapKind, configMapRules],
  [secretKind, secretRules],
  [leaseKind, {}],
  [namespaceKind, {}],
  [eventKind, {}],
]);

const NONE: KindRules = {};

export function rulesOf(kind: KindDef): KindRules {
  return RULES.get(kind) ?? NONE;
}
