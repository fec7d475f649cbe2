import { afterEach, beforeEach, expect, test } from "vitest";
import { runName } from "../../../controller/reconcilers/workflow.ts";
import { findCondition } from "../../../crds/resource.ts";
import { type Workflow, workflowKind } from "../../../crds/workflow.ts";
import { workflowRunKind } from "../../../crds/workflow-run.ts";
import { type RunWorld, runWorld } from "../../run-world.ts";

let world: RunWorld;
beforeEach(async () => {
  world = await runWorld();
});
afterEach(() => world.close());

const STEPS = [{ name: "a", run: "true" }];
const TRIGGERED = {
  triggers: [{ type: "Apply", parameters: { who: "me" } }],
  parameters: [{ name: "who", required: true }],
  steps: STEPS,
};
const runs = async () => (await world.store.list(workflowRunKind)).items;
const workflow = async () => {
  const found = await world.get(workflowKind, "w");
  if (!found) throw new Error("the workflow is gone");
  return found;
};
const edit = (change: (spec: Workflow["spec"]) => unknown) =>
  world.admission.update(workflowKind, { namespace: "default", name: "w" }, (current) => ({
    ...current,
    spec: change(current.spec),
  }));

test("a workflow without a trigger is ready and makes no run", async () => {
  await world.workflow("w", { steps: STEPS });
  await world.clock.advance(1000);
  expect(findCondition(await workflow(), "Ready")).toMatchObject({
    status: "True",
    reason: "Valid",
    observedGeneration: 1,
  });
  expect(findCondition(await workflow(), "Succeeded")).toBeUndefined();
  expect(await runs()).toEqual([]);
});

test("an Apply trigger makes one run for each generation, and Succeeded mirrors it", async () => {
  await world.workflow("w", TRIGGERED);
  await world.clock.runUntil(() => world.machines.jobs.length === 1, 60_000);
  const [run] = await runs();
  expect(run?.metadata).toMatchObject({
    name: runName(await workflow()),
    ownerReferences: [{ kind: "Workflow", name: "w", uid: (await workflow()).metadata.uid }],
  });
  expect(run?.spec.parameters).toEqual({ who: "me" });
  expect(findCondition(await workflow(), "Succeeded")).toMatchObject({ status: "Unknown", reason: "Running" });

  world.machines.exit("a", 0);
  await world.clock.runUntil(async () => findCondition(await workflow(), "Succeeded")?.status === "True", 60_000);
  await world.restart();
  await world.clock.advance(600_000);
  expect(await runs()).toHaveLength(1);

  await edit((spec) => ({ ...spec, description: "changed" }));
  await world.clock.runUntil(() => world.machines.jobs.length === 2, 60_000);
  expect((await runs()).map((each) => each.metadata.name)).toContain(runName(await workflow()));
  expect(findCondition(await workflow(), "Succeeded")).toMatchObject({ status: "Unknown", observedGeneration: 2 });
});

test("a run that was deleted is not made again", async () => {
  await world.workflow("w", TRIGGERED);
  await world.clock.runUntil(() => world.machines.jobs.length === 1, 60_000);
  world.machines.exit("a", 0);
  await world.clock.runUntil(async () => findCondition(await workflow(), "Succeeded")?.status === "True", 60_000);
  await world.remove(workflowRunKind, runName(await workflow()));
  await world.clock.advance(600_000);
  expect(await runs()).toEqual([]);
  expect(findCondition(await workflow(), "Succeeded")?.status).toBe("True");
});

test("a trigger that is taken away takes the condition with it", async () => {
  await world.workflow("w", TRIGGERED);
  await world.clock.advance(1000);
  await edit(({ triggers: _gone, ...spec }) => spec);
  await world.clock.advance(1000);
  expect(findCondition(await workflow(), "Succeeded")).toBeUndefined();
});

test("a run of that name that is not the workflow's is left alone and told of", async () => {
  world.hold("Creating");
  await world.workflow("w", { steps: STEPS });
  const { metadata } = await workflow();
  const name = `w-2-${metadata.uid.slice(0, 4)}`;
  await world.run(name, "w");
  await edit((spec) => ({ ...spec, triggers: [{ type: "Apply" }] }));
  await world.clock.advance(1000);
  expect(findCondition(await workflow(), "Succeeded")).toMatchObject({ status: "False", reason: "RunNameTaken" });
});

test("a long name leaves room for the names of the run's machines", async () => {
  const longestKey = "k".repeat(20);
  const long = await world.workflow("w".repeat(63), {
    instances: { [longestKey]: {} },
    steps: STEPS,
    triggers: [{ type: "Apply" }],
  });
  expect(`${runName(long)}-${longestKey}`).toHaveLength(63);
  await world.clock.runUntil(() => world.machines.jobs.length === 1, 60_000);
});
