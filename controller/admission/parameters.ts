// Values given for a workflow's parameters: every required one, and none that it does not know.
import type { WorkflowSpec } from "../../crds/workflow.ts";
import type { Cause } from "./admission.ts";
import { listed } from "./causes.ts";
import { nearest } from "./known-keys.ts";

export function parameterCauses(
  defined: WorkflowSpec["parameters"],
  given: Readonly<Record<string, string>>,
  field: string,
): readonly Cause[] {
  const names = defined.map((parameter) => parameter.name);
  const missing = defined.filter((parameter) => parameter.required && !Object.hasOwn(given, parameter.name));
  const unknown = Object.keys(given).filter((name) => !names.includes(name));
  return [
    ...missing.map(
      ({ name, description }): Cause => ({
        reason: "FieldValueRequired",
        field: `${field}.${name}`,
        message: `Required value: the workflow requires the parameter ${name}${description ? ` (${description})` : ""}`,
      }),
    ),
    ...unknown.map(
      (name): Cause => ({
        reason: "FieldValueNotSupported",
        field: `${field}.${name}`,
        message: unknownParameter(name, names),
      }),
    ),
  ];
}

function unknownParameter(name: string, names: readonly string[]): string {
  const suggestion = nearest(name, names);
  if (suggestion) return `the workflow has no parameter ${name}, did you mean ${suggestion}?`;
  return `the workflow has no parameter ${name}; it has ${names.length === 0 ? "none" : listed(names)}`;
}
