// All kinds, in the order in which they are listed to people.
import { configMapKind } from "./config-map.ts";
import { eventKind } from "./event.ts";
import { executionKind } from "./execution.ts";
import { instanceKind } from "./instance.ts";
import { leaseKind } from "./lease.ts";
import { namespaceKind } from "./namespace.ts";
import type { KindDef } from "./resource.ts";
import { secretKind } from "./secret.ts";
import { workflowKind } from "./workflow.ts";
import { workflowRunKind } from "./workflow-run.ts";

export const KINDS: readonly KindDef[] = [
  instanceKind,
  workflowKind,
  workflowRunKind,
  executionKind,
  namespaceKind,
  eventKind,
  configMapKind,
  secretKind,
  leaseKind,
];

export function kindByName(kind: string): KindDef | undefined {
  return KINDS.find((each) => each.kind === kind);
}

/** The kind of a manifest, by its apiVersion and kind. */
export function kindOf(apiVersion: string, kind: string, kinds: readonly KindDef[] = KINDS): KindDef | undefined {
  return kinds.find(
    (each) => each.kind === kind && (each.group === "" ? each.version : `${each.group}/${each.version}`) === apiVersion,
  );
}
