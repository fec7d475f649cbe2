// Instance: DEFAULT_* are filled in once; Fly must be able to make it; the region stays once a machine may exist.
import type { Instance, InstanceSpec } from "../../crds/instance.ts";
import { guestOf, memoryProblem } from "../../crds/machine-size.ts";
import type { SpecDefaults } from "./admission.ts";
import type { KindRules } from "./kind-rules.ts";
import { machineCauses } from "./machine-rules.ts";

export const instanceRules: KindRules<Instance> = {
  fill: (object, current, defaults) => ({
    ...object,
    spec: current ? keepFilled(object.spec, current.spec) : fillDefaults(object.spec, defaults),
  }),
  check: (object) => machineCauses(object.spec, "spec"),
  // A region that Fly does not know, or that is full, can be changed as long as nothing can have been made there.
  mayStillChange: (path, { status }) =>
    path === "spec.region" && !status?.machine && status?.provisioning?.requestedAt === undefined,
};

function fillDefaults(spec: InstanceSpec, defaults: SpecDefaults): InstanceSpec {
  return {
    ...spec,
    image: spec.image ?? defaults.image,
    region: spec.region ?? defaults.region,
    size: spec.size ?? defaults.size,
    memoryMb: spec.memoryMb ?? (spec.size === undefined ? defaultMemory(defaults) : undefined),
  };
}

/** Stored only when it says something that the size does not: otherwise a later change of size would trip over it. */
function defaultMemory({ size, memoryMb }: SpecDefaults): number | undefined {
  const redundant = guestOf(size, undefined).memory_mb === memoryMb;
  return redundant || memoryProblem(size, memoryMb) ? undefined : memoryMb;
}

/** A manifest that never named its region or image does not take them away by being sent again. */
function keepFilled(spec: InstanceSpec, current: InstanceSpec): InstanceSpec {
  return {
    ...spec,
    image: spec.image ?? current.image,
    region: spec.region ?? current.region,
    size: spec.size ?? current.size,
    memoryMb: spec.memoryMb ?? (spec.size === undefined ? current.memoryMb : undefined),
  };
}
