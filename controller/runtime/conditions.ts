// Conditions are a set by type; their transition time moves only when the status does, so that people can read since when.
import type { Condition } from "../../crds/resource.ts";
import { timestamp } from "../kernel/clock.ts";

export type NewCondition = Omit<Condition, "lastTransitionTime">;

/** `conditions` with `next` in place of the one of its type. */
export function withCondition(
  conditions: readonly Condition[] | undefined,
  next: NewCondition,
  nowMs: number,
): Condition[] {
  const list = conditions ?? [];
  const before = list.find((each) => each.type === next.type);
  const lastTransitionTime = before?.status === next.status ? before.lastTransitionTime : timestamp(nowMs);
  const condition: Condition = { ...next, lastTransitionTime };
  return before ? list.map((each) => (each === before ? condition : each)) : [...list, condition];
}

export function withConditions(
  conditions: readonly Condition[] | undefined,
  next: readonly NewCondition[],
  nowMs: number,
): Condition[] {
  return next.reduce<Condition[]>((list, each) => withCondition(list, each, nowMs), [...(conditions ?? [])]);
}
