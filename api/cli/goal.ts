// What `wait --for` waits for, and how far an object is from it.
import { UsageError } from "./failure.ts";
import { query, textOf } from "./json-path.ts";
import { type ApiObject, currentCondition } from "./object.ts";

export type Goal =
  | { readonly kind: "condition"; readonly type: string; readonly status: string }
  | { readonly kind: "jsonpath"; readonly path: string; readonly value: string | undefined }
  | { readonly kind: "delete" };

export function parseGoal(text: string): Goal {
  if (text === "delete") return { kind: "delete" };
  const condition = /^condition=([^=]+)(?:=(\w+))?$/.exec(text);
  if (condition?.[1]) return { kind: "condition", type: condition[1], status: condition[2] ?? "True" };
  const path = /^jsonpath=(\{.*\}|[^=]+)(?:=(.*))?$/s.exec(text);
  if (path?.[1]) {
    query(path[1], {}); // a path that is not understood is said now, not after the wait
    return { kind: "jsonpath", path: path[1], value: path[2] };
  }
  const forms = "condition=NAME, condition=NAME=VALUE, jsonpath='{PATH}'=VALUE or delete";
  throw new UsageError(`--for=${text} is not known; use ${forms}`);
}

/** Undefined means that the object does not exist. */
export function isMet(goal: Goal, object: ApiObject | undefined): boolean {
  if (goal.kind === "delete") return object === undefined;
  if (object === undefined) return false;
  if (goal.kind === "condition") {
    return currentCondition(object, goal.type)?.status.toLowerCase() === goal.status.toLowerCase();
  }
  const found = query(goal.path, object);
  return goal.value === undefined ? found.length > 0 : found.map(textOf).includes(goal.value);
}

/** What is in the way, for the message of a wait that took too long. */
export function distance(goal: Goal, object: ApiObject | undefined): string {
  if (object === undefined) return "it does not exist";
  if (goal.kind === "jsonpath")
    return `${goal.path} is ${query(goal.path, object).map(textOf).join(", ") || "not set"}`;
  const type = goal.kind === "delete" ? "Ready" : goal.type;
  const condition = currentCondition(object, type);
  if (goal.kind === "delete") {
    const finalizers = object.metadata.finalizers?.join(", ");
    if (!object.metadata.deletionTimestamp) return "nobody has deleted it";
    return [finalizers ? `finalizers ${finalizers} remain` : "it still exists", condition?.message]
      .filter(Boolean)
      .join(": ");
  }
  if (!condition) return `condition ${type} is not set for the present spec`;
  const why = [condition.reason, condition.message].filter(Boolean).join(": ");
  return `${condition.type} is ${condition.status}${why ? ` (${why})` : ""}`;
}
