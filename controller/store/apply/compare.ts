// The fields that a value has, and those in which two values differ.
import type { StructuralSchema } from "../../../crds/structural-schema.ts";
import { type Json, jsonEqual } from "../../kernel/json.ts";
import { EMPTY, type FieldSet, LEAF, setOf, stepText } from "./field-set.ts";
import { lenientShapeOf, shapeOf } from "./shape.ts";

/** What whoever applies `value` owns: every leaf, every item of a list, and objects that are empty. Throws ListError. */
export function fieldsOf(value: Json, schema: StructuralSchema, path = "", isItem = false): FieldSet {
  const shape = shapeOf(value, schema, path);
  if (shape.kind === "whole" || shape.parts.size === 0) return LEAF;
  const below = [...shape.parts].map(
    ([step, part]) =>
      [step, fieldsOf(part.value, part.schema, `${path}${stepText(step)}`, shape.kind === "list")] as const,
  );
  return setOf(isItem, below);
}

export interface Comparison {
  /** Added or changed. */
  readonly set: FieldSet;
  readonly removed: FieldSet;
}

/** A part that is new counts with all that is in it, itself included. */
export function compare(before: Json | undefined, after: Json | undefined, schema: StructuralSchema): Comparison {
  if (before === undefined) return { set: everything(after, schema), removed: EMPTY };
  if (after === undefined) return { set: EMPTY, removed: everything(before, schema) };
  const [old, now] = [lenientShapeOf(before, schema), lenientShapeOf(after, schema)];
  if (old.kind === "whole" && now.kind === "whole") {
    return { set: jsonEqual(before, after) ? EMPTY : LEAF, removed: EMPTY };
  }
  if (old.kind === "whole" || now.kind === "whole" || old.kind !== now.kind) {
    return { set: everything(after, schema), removed: everything(before, schema) };
  }
  const steps = new Set([...old.parts.keys(), ...now.parts.keys()]);
  const below = [...steps].map((step) => {
    const [was, is] = [old.parts.get(step), now.parts.get(step)];
    return [step, compare(was?.value, is?.value, is?.schema ?? was?.schema ?? {})] as const;
  });
  return {
    set: setOf(
      false,
      below.map(([step, each]) => [step, each.set] as const),
    ),
    removed: setOf(
      false,
      below.map(([step, each]) => [step, each.removed] as const),
    ),
  };
}

function everything(value: Json | undefined, schema: StructuralSchema): FieldSet {
  if (value === undefined) return EMPTY;
  const shape = lenientShapeOf(value, schema);
  if (shape.kind === "whole") return LEAF;
  return setOf(
    true,
    [...shape.parts].map(([step, part]) => [step, everything(part.value, part.schema)] as const),
  );
}
