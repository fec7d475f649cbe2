// What is applied laid over what is there; and what somebody has given up taken out of it.
import type { StructuralSchema } from "../../../crds/structural-schema.ts";
import type { Json } from "../../kernel/json.ts";
import { EMPTY, type FieldSet, isEmpty } from "./field-set.ts";
import { assemble, lenientShapeOf, type Part, shapeOf } from "./shape.ts";

/** Lists keep the order of what is applied; what only the live one has stays behind what it stood behind. */
export function merge(live: Json | undefined, applied: Json, schema: StructuralSchema): Json {
  const [old, now] = [lenientShapeOf(live, schema), shapeOf(applied, schema)];
  if (now.kind === "whole") return applied;
  const before = old.kind === now.kind ? old.parts : new Map<string, Part>();
  const merged = inOrder([...before.keys()], [...now.parts.keys()]).map((step): readonly [string, Json] => {
    const [was, is] = [before.get(step), now.parts.get(step)];
    return [step, is ? merge(was?.value, is.value, is.schema) : (was?.value ?? null)];
  });
  return assemble(now.kind, merged);
}

function inOrder(live: readonly string[], applied: readonly string[]): readonly string[] {
  const places = new Map(applied.map((step, index) => [step, index]));
  const order: string[] = [];
  let next = 0;
  for (const step of live) {
    const place = places.get(step);
    if (place === undefined) {
      order.push(step);
    } else if (place >= next) {
      order.push(...applied.slice(next, place + 1));
      next = place + 1;
    }
  }
  return [...order, ...applied.slice(next)];
}

/** `value` without what is in `given`, where nobody owns it or anything below it. */
export function prune(value: Json, given: FieldSet, owned: FieldSet, schema: StructuralSchema): Json {
  const shape = lenientShapeOf(value, schema);
  if (shape.kind === "whole") return value;
  const kept = [...shape.parts].flatMap(([step, part]): (readonly [string, Json])[] => {
    const inner = given.below.get(step);
    if (inner === undefined) return [[step, part.value]];
    const still = owned.below.get(step) ?? EMPTY;
    return isEmpty(still) ? [] : [[step, prune(part.value, inner, still, part.schema)]];
  });
  return assemble(shape.kind, kept);
}
