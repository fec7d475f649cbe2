// What the walk cannot read from a schema: for each kind an object to begin from, and what has to be around a field for
// some of its values to be allowed at all.
import type { KindDef } from "../../crds/resource.ts";
import { specNode } from "./spec-walk-fields.ts";
import { sampleOf } from "./spec-walk-values.ts";

export interface KindFixture {
  /** A valid spec, as small as is useful. */
  readonly spec: Readonly<Record<string, unknown>>;
  /** Other specs to try fields in, by how their names begin: a value is accepted when one of them takes it. */
  readonly around?: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>;
  /** Fields that another one has to agree with: that other one is then named, and whatever the field's own schema allows is refused. */
  readonly agrees?: Readonly<Record<string, string>>;
}

const STEP = { name: "only", run: "sim 100 0" };
const WORKFLOW = { instances: { box: {} }, steps: [STEP] };
const LARGEST = { size: "performance-16x" };
const withPorts = (...ports: object[]) => ({ services: [{ protocol: "tcp", internal_port: 1, ports }] });
const PORTS = [withPorts({ port: 1 }), withPorts({ start_port: 1, end_port: 65_535 })];

const FIXTURES: Readonly<Record<string, KindFixture>> = {
  Instance: {
    spec: { image: "ubuntu:22.04", region: "iad", size: "shared-cpu-1x" },
    around: { "spec.memoryMb": [LARGEST], "spec.services[].ports[]": PORTS },
  },
  Workflow: {
    spec: WORKFLOW,
    agrees: { "spec.instances": "spec.steps", "spec.instances{}": "spec.steps" },
    around: {
      "spec.instances": [{ ...WORKFLOW, steps: [{ ...STEP, instance: "k1" }] }],
      "spec.instances{}.services[].ports[]": PORTS.map((box) => ({ ...WORKFLOW, instances: { box } })),
      "spec.instances{}.memoryMb": [{ ...WORKFLOW, instances: { box: LARGEST } }],
      "spec.triggers[].parameters{}": [{ ...WORKFLOW, parameters: [{ name: "k" }] }],
      "spec.triggers[].parameters{key}": [{ ...WORKFLOW, parameters: [{ name: "a" }] }],
      "spec.steps[].instance": [{ ...WORKFLOW, instances: { a: {} } }],
      "spec.steps[].dependsOn": [{ ...WORKFLOW, steps: [STEP, { ...STEP, name: "a" }] }],
      "spec.steps[].dependsOn[]": [{ ...WORKFLOW, steps: [STEP, { ...STEP, name: "a" }] }],
    },
  },
  WorkflowRun: { spec: { workflowRef: { name: "absent" } } },
  Execution: { spec: { instance: "absent", command: "sim 100 0", timeoutMs: 30_000 } },
};

/** The specs to place a field's values in. */
export function specsAround({ spec, around }: KindFixture, field: string): readonly KindFixture["spec"][] {
  const others = Object.entries(around ?? {}).filter(([begin]) => field.startsWith(begin));
  return [spec, ...others.flatMap(([, specs]) => specs)];
}

/** A kind that needs nothing in particular begins from the least that its schema allows. */
export function fixtureOf(kind: KindDef): KindFixture {
  const least = () => sampleOf(specNode(kind)) as KindFixture["spec"]; // the schema of a spec is one of an object
  return FIXTURES[kind.kind] ?? { spec: least() };
}
