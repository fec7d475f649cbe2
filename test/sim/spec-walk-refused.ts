// Specs that the API takes and Fly refuses for ever: status says so once, naming the field, and nothing is left of it when
// the spec is put right. And fields that may not change once a machine exists.
import { findCondition } from "../../crds/resource.ts";
import { find, liveMachines } from "./spec-walk-paths.ts";
import { restless, script, settled, tell } from "./spec-walk-world.ts";
import { create, patch, remove } from "./workload.ts";
import { simWorld } from "./world.ts";

export interface RefusedByFly {
  readonly field: string;
  readonly wrong: object;
  readonly right: object;
}

const BASE = { image: "ubuntu:22.04", region: "iad", size: "shared-cpu-1x" };
const NAME = "refused";
/** Longer than the first backoff of what was refused. */
const REFUSED_MS = 90_000;
/** Putting it right is not made to wait for the next of the tries that have grown rare. */
const HEALED_MS = 20_000;

/** `at`: wrong from the beginning, or after an edit of a machine that serves. */
export async function walkRefused(at: "create" | "edit", { field, wrong, right }: RefusedByFly): Promise<string[]> {
  const world = simWorld(1, undefined, script());
  const problems: string[] = [];
  const says = (type: string) => {
    const object = find(world, NAME);
    const condition = object && findCondition(object, type);
    return `${condition?.status} ${condition?.reason}: ${condition?.message}`;
  };
  const spec = (changes: object) => ({ ...BASE, ...changes });
  const manifest = (changes: object) => ({
    apiVersion: "fly.lightfast.ai/v1",
    kind: "Instance",
    metadata: { name: NAME },
    spec: spec(changes),
  });
  try {
    world.start();
    await world.clock.settle();
    await tell(world, create("instances", manifest(at === "create" ? wrong : right)));
    if (at === "edit") {
      await settled(world);
      await tell(world, patch("instances", NAME, { spec: spec(wrong) }));
    }
    await world.clock.advance(REFUSED_MS);
    const [type, machines] = at === "create" ? (["Ready", 0] as const) : (["Synced", 1] as const);
    if (!says(type).startsWith(`False Refused: spec.${field}: `)) problems.push(`${type} is ${says(type)}`);
    const live = liveMachines(world, NAME);
    if (live.length !== machines) problems.push(`there are ${live.length} machines`);
    if (at === "edit" && !says("Ready").startsWith("True"))
      problems.push(`the machine serves, but Ready is ${says("Ready")}`);

    const status = await tell(world, patch("instances", NAME, { spec: spec(right) }));
    if (status !== 200) problems.push(`putting it right was answered ${status}`);
    await world.clock.advance(HEALED_MS);
    for (const type of ["Ready", "Synced"]) {
      if (!says(type).startsWith("True")) problems.push(`put right, ${type} is ${says(type)}`);
    }
    await settled(world);
    problems.push(...(await restless(world)));
    await tell(world, remove("instances", NAME));
    await settled(world);
    problems.push(...world.violations);
  } finally {
    world.close();
  }
  return problems;
}
