// Workflow: names are unique, every reference leads somewhere, the graph has no cycle, and an Apply trigger can run.
import { instanceSpec } from "../../crds/instance.ts";
import type { Workflow, WorkflowSpec } from "../../crds/workflow.ts";
import { jsonEqual } from "../kernel/json.ts";
import type { Cause } from "./admission.ts";
import { invalidValue, listed, notSupported } from "./causes.ts";
import type { KindRules } from "./kind-rules.ts";
import { machineCauses } from "./machine-rules.ts";
import { parameterCauses } from "./parameters.ts";

export const workflowRules: KindRules<Workflow> = {
  check: ({ spec }) => [
    ...duplicates(spec.steps, "spec.steps", "another step has this name; step names are unique"),
    ...duplicates(spec.parameters, "spec.parameters", "another parameter has this name; parameter names are unique"),
    ...parameterDefinitions(spec),
    ...instanceCauses(spec),
    ...stepInstances(spec),
    ...dependencies(spec),
    ...(spec.triggers ?? []).flatMap((trigger, index) =>
      parameterCauses(spec.parameters, trigger.parameters ?? {}, `spec.triggers[${index}].parameters`),
    ),
  ],
};

function duplicates(items: readonly { readonly name: string }[], field: string, remedy: string): Cause[] {
  const seen = new Set<string>();
  return items.flatMap(({ name }, index) => {
    if (!seen.has(name)) {
      seen.add(name);
      return [];
    }
    return [{ reason: "FieldValueInvalid", field: `${field}[${index}].name`, message: invalidValue(name, remedy) }];
  });
}

function parameterDefinitions({ parameters }: WorkflowSpec): Cause[] {
  return parameters.flatMap((parameter, index) =>
    parameter.required && parameter.default !== undefined
      ? [
          {
            reason: "FieldValueForbidden",
            field: `spec.parameters[${index}].default`,
            message: `Forbidden: ${parameter.name} is required, so its default would never be used; remove one of the two`,
          },
        ]
      : [],
  );
}

/** What the schema fills in by itself: beside `ref` it says nothing. */
const UNSET: Readonly<Record<string, unknown>> = instanceSpec.parse({});

function instanceCauses({ instances }: WorkflowSpec): Cause[] {
  return Object.entries(instances).flatMap(([key, { ref, ...own }]): readonly Cause[] => {
    const field = `spec.instances.${key}`;
    if (ref === undefined) return machineCauses(own, field);
    return Object.entries(own)
      .filter(([name, value]) => !jsonEqual(value, UNSET[name]))
      .map(([name]) => ({
        reason: "FieldValueForbidden",
        field: `${field}.${name}`,
        message: `Forbidden: ref names the instance ${ref}, which has a spec of its own; remove ${name} or ref`,
      }));
  });
}

function stepInstances({ steps, instances }: WorkflowSpec): Cause[] {
  const keys = Object.keys(instances);
  return steps.flatMap((step, index): Cause[] => {
    const field = `spec.steps[${index}].instance`;
    if (step.instance === undefined) {
      if (keys.length === 1) return [];
      const remedy =
        keys.length === 0 ? "add an entry to spec.instances" : `one of ${listed(keys)}, as there is more than one`;
      return [{ reason: "FieldValueRequired", field, message: `Required value: ${remedy}` }];
    }
    if (Object.hasOwn(instances, step.instance)) return [];
    return [{ reason: "FieldValueNotSupported", field, message: notSupported(step.instance, keys) }];
  });
}

const CYCLE_SHOWN = 20;

function dependencies({ steps }: WorkflowSpec): Cause[] {
  const names = new Set(steps.map((step) => step.name));
  const dangling = steps.flatMap((step, index) =>
    step.dependsOn.flatMap((name, position): Cause[] =>
      names.has(name)
        ? []
        : [
            {
              reason: "FieldValueInvalid",
              field: `spec.steps[${index}].dependsOn[${position}]`,
              message: invalidValue(name, "no step has this name"),
            },
          ],
    ),
  );
  const cycle = findCycle(new Map(steps.map((step) => [step.name, step.dependsOn])));
  if (!cycle) return dangling;
  const message = invalidValue(
    cycle.length > CYCLE_SHOWN ? `${cycle.slice(0, CYCLE_SHOWN).join(" → ")} → …` : cycle.join(" → "),
    "steps depend on each other in a circle; remove one of these dependencies",
  );
  return [...dangling, { reason: "FieldValueInvalid", field: "spec.steps", message }];
}

/** The first cycle found, its first step repeated at the end. Without recursion: a chain may be a thousand steps long. */
export function findCycle(graph: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const done = new Set<string>();
  for (const start of graph.keys()) {
    const path: { readonly name: string; next: number }[] = [{ name: start, next: 0 }];
    const onPath = new Set([start]);
    while (path.length > 0 && !done.has(start)) {
      const top = path[path.length - 1];
      if (!top) break;
      const child = graph.get(top.name)?.[top.next++];
      if (child === undefined) {
        done.add(top.name);
        onPath.delete(top.name);
        path.pop();
      } else if (onPath.has(child)) {
        const names = path.map((node) => node.name);
        return [...names.slice(names.indexOf(child)), child];
      } else if (!done.has(child)) {
        path.push({ name: child, next: 0 });
        onPath.add(child);
      }
    }
  }
  return undefined;
}
