import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { instanceKind } from "../../../crds/instance.ts";
import { workflowKind } from "../../../crds/workflow.ts";
import { workflowRunKind } from "../../../crds/workflow-run.ts";
import { type RunWorld, runWorld } from "../../run-world.ts";

describe.each([{ watch: true }, { watch: false }])("with watchers: $watch", ({ watch }) => {
  let world: RunWorld;
  beforeEach(async () => {
    world = await runWorld({ watch });
  });
  afterEach(() => world.close());

  const step = (name: string, changes: Record<string, unknown> = {}) => ({ name, run: `do ${name}`, ...changes });
  const begun = (name: string, attempt = 1) =>
    world.clock.runUntil(
      () => world.machines.jobs.some((job) => job.key.step === name && job.key.attempt === attempt),
      60_000,
    );

  test("steps run in the order of the graph, on a machine of the run's own that is deleted in the end", async () => {
    await world.workflow("w", { steps: [step("a"), step("b", { dependsOn: ["a"] }), step("c", { dependsOn: ["a"] })] });
    await world.run("r", "w");
    await begun("a");
    expect(world.machines.jobs.map((job) => job.key.step)).toEqual(["a"]);
    const box = await world.get(instanceKind, "r-box");
    expect(box?.metadata.labels).toEqual({ "fly.lightfast.ai/run": "r" });
    expect(box?.metadata.ownerReferences?.[0]).toMatchObject({ kind: "WorkflowRun", name: "r", controller: true });

    world.machines.exit("a", 0, "hello\n");
    await begun("b");
    await begun("c");
    world.machines.exit("b", 0);
    world.machines.exit("c", 0);
    await world.finished("r");
    expect(await world.steps("r")).toEqual(["a:Succeeded:1", "b:Succeeded:1", "c:Succeeded:1"]);
    expect(await world.succeeded("r")).toMatchObject({ status: "True", reason: "Succeeded" });
    await world.clock.advance(1000);
    expect(await world.get(instanceKind, "r-box")).toBeUndefined();
    expect(await world.log("r", "a")).toBe("hello\n");
    expect(world.machines.jobs).toHaveLength(3);
  });

  test("parameters and the step's own values reach the script", async () => {
    await world.workflow("w", {
      parameters: [{ name: "given", required: true }, { name: "kept", default: "d" }, { name: "empty" }],
      steps: [step("a", { env: { EXTRA: "e" } })],
    });
    await world.run("r", "w", { parameters: { given: "g" } });
    await begun("a");
    expect(world.machines.job("a").environment).toEqual({ given: "g", kept: "d", empty: "", EXTRA: "e" });
    expect(world.machines.job("a").input).toEqual({ run: "do a" });
  });

  test("a run keeps the definition that it began with", async () => {
    await world.workflow("w", { steps: [step("a"), step("b", { dependsOn: ["a"] })] });
    await world.run("r", "w");
    await begun("a");
    await world.admission.update(workflowKind, { namespace: "default", name: "w" }, (workflow) => ({
      ...workflow,
      spec: { ...workflow.spec, steps: [{ ...workflow.spec.steps[0], run: "changed" }] },
    }));
    world.machines.exit("a", 0);
    await begun("b");
    expect(world.machines.job("b").input).toEqual({ run: "do b" });
  });

  test("a failed step is tried again after its backoff, and then the run has failed", async () => {
    await world.workflow("w", {
      steps: [step("a", { retry: { limit: 1, backoff: "30s" } }), step("b", { dependsOn: ["a"] })],
    });
    await world.run("r", "w");
    await begun("a");
    const firstMs = world.clock.now();
    world.machines.exit("a", 7);
    await begun("a", 2);
    expect(world.clock.now() - firstMs).toBeGreaterThanOrEqual(30_000);
    world.machines.exit("a", 8);
    await world.finished("r");
    expect(await world.steps("r")).toEqual(["a:Failed:2", "b:Skipped:0"]);
    expect(await world.succeeded("r")).toMatchObject({
      status: "False",
      reason: "StepFailed",
      message: "step a failed: exit code 8; skipped b",
    });
    expect(await world.events()).toEqual(
      expect.arrayContaining(["StepStarted", "StepRetried", "StepFailed", "RunFailed"]),
    );
  });

  test("a step that takes too long is ended and has failed", async () => {
    await world.workflow("w", { steps: [step("a", { timeout: "1m" })] });
    await world.run("r", "w");
    await begun("a");
    const beganMs = world.clock.now();
    await world.finished("r");
    expect(world.clock.now() - beganMs).toBeLessThan(65_000);
    expect(world.machines.job("a").observation).toEqual({ state: "Abandoned" });
    expect((await world.get(workflowRunKind, "r"))?.status?.steps?.[0]).toMatchObject({
      state: "Failed",
      reason: "Timeout",
    });
  });

  test("a controller that dies in mid-step finds the same job again", async () => {
    await world.workflow("w", { steps: [step("a"), step("b", { dependsOn: ["a"] })] });
    await world.run("r", "w");
    await begun("a");
    await world.restart();
    await world.clock.advance(10_000);
    world.machines.exit("a", 0, "one line\n");
    await world.restart();
    await begun("b");
    await world.restart();
    world.machines.exit("b", 0);
    await world.finished("r");
    expect(world.machines.jobs.map((job) => job.key.step)).toEqual(["a", "b"]);
    expect(await world.steps("r")).toEqual(["a:Succeeded:1", "b:Succeeded:1"]);
    expect(await world.log("r", "a")).toBe("one line\n");
  });

  test("a start whose reply is lost is one attempt", async () => {
    world.machines.loseReplies = 2;
    await world.workflow("w", { steps: [step("a", { retry: { limit: 3 } })] });
    await world.run("r", "w");
    await begun("a");
    await world.clock.advance(20_000);
    world.machines.exit("a", 0);
    await world.finished("r");
    expect(world.machines.jobs).toHaveLength(1);
    expect(await world.steps("r")).toEqual(["a:Succeeded:1"]);
  });

  test("an attempt that began, was not answered and is forgotten by its machine does not begin again", async () => {
    await world.workflow("w", { steps: [step("a"), step("b", { retry: { limit: 1, backoff: "1s", on: ["Lost"] } })] });
    world.machines.loseReplies = 2;
    await world.run("r", "w");
    await begun("a");
    await begun("b");
    world.machines.reboot(world.machines.job("a").machineId, true);
    await world.restart(); // it knows nothing but what was committed
    await begun("b", 2);
    world.machines.exit("b", 0);
    await world.finished("r");
    const begunJobs = world.machines.jobs.filter(({ input }) => input !== undefined);
    expect(begunJobs.map(({ key }) => `${key.step}:${key.attempt}`)).toEqual(["a:1", "b:1", "b:2"]);
    expect(await world.steps("r")).toEqual(["a:Failed:1", "b:Succeeded:2"]);
  });

  test("an attempt is sent only when the boot that it may begin in is known", async () => {
    await world.workflow("w", { steps: [step("a")] });
    world.hold("Creating");
    await world.run("r", "w");
    await world.clock.advance(5_000);
    const machineId = `m-${(await world.get(instanceKind, "r-box"))?.metadata.uid}`;
    world.machines.down.add(machineId);
    world.hold("Ready");
    await world.clock.advance(10_000);
    expect(await world.steps("r")).toEqual(["a:Running:1"]);
    expect((await world.get(workflowRunKind, "r"))?.status?.steps?.[0]?.bootId).toBeUndefined();
    world.machines.reboot(machineId);
    world.machines.down.clear();
    await begun("a");
    expect((await world.get(workflowRunKind, "r"))?.status?.steps?.[0]?.bootId).toBe("boot-2");
  });

  test("a machine that does not answer for a while holds up its step and nothing else", async () => {
    await world.workflow("w", {
      instances: { box: {}, other: {} },
      steps: [step("a", { instance: "box" }), step("b", { instance: "other" })],
    });
    await world.run("r", "w");
    await begun("a");
    await begun("b");
    world.machines.down.add(world.machines.job("a").machineId);
    world.machines.exit("a", 0);
    world.machines.exit("b", 0);
    await world.clock.advance(60_000);
    expect(await world.steps("r")).toEqual(["a:Running:1", "b:Succeeded:1"]);
    expect((await world.get(workflowRunKind, "r"))?.status?.steps?.[0]?.message).toContain("does not answer");
    world.machines.down.clear();
    await world.finished("r");
    expect(await world.succeeded("r")).toMatchObject({ status: "True" });
  });

  test("a machine that reboots loses its step, which is tried again only where that is allowed", async () => {
    await world.workflow("w", {
      steps: [step("a"), step("b", { retry: { limit: 1, backoff: "1s", on: ["Lost"] } })],
    });
    await world.run("r", "w");
    await begun("b");
    world.machines.reboot(world.machines.job("b").machineId);
    await begun("b", 2);
    world.machines.exit("b", 0);
    await world.finished("r");
    expect(await world.steps("r")).toEqual(["a:Failed:1", "b:Succeeded:2"]);
    expect((await world.get(workflowRunKind, "r"))?.status?.steps?.[0]).toMatchObject({ reason: "Lost" });
  });

  test("an instance that is deleted under a step takes the step with it", async () => {
    await world.instance("dev");
    await world.workflow("w", { instances: { box: { ref: "dev" } }, steps: [step("a")] });
    await world.run("r", "w");
    await begun("a");
    await world.remove(instanceKind, "dev");
    await world.finished("r");
    expect((await world.get(workflowRunKind, "r"))?.status?.steps?.[0]).toMatchObject({
      state: "Failed",
      reason: "Lost",
      message: "instance dev is gone",
    });
  });

  test("cancelling ends what runs and begins nothing more", async () => {
    await world.workflow("w", { steps: [step("a"), step("b", { dependsOn: ["a"] })] });
    await world.run("r", "w");
    await begun("a");
    await world.cancel("r");
    await world.finished("r");
    expect(world.machines.job("a").observation).toEqual({ state: "Abandoned" });
    expect(await world.steps("r")).toEqual(["a:Cancelled:1", "b:Cancelled:0"]);
    expect(await world.succeeded("r")).toMatchObject({ status: "False", reason: "Cancelled" });
    await world.clock.advance(1000);
    expect(await world.get(instanceKind, "r-box")).toBeUndefined();
  });

  test("a run that is deleted or cancelled before its workflow came begins nothing and goes", async () => {
    await world.run("r", "w", { cancel: true });
    await world.finished("r");
    expect(await world.succeeded("r")).toMatchObject({ reason: "Cancelled", message: "cancelled before it began" });
    await world.remove(workflowRunKind, "r");
    await world.run("s", "w");
    await world.clock.advance(100);
    await world.remove(workflowRunKind, "s");
    await world.clock.advance(100);
    expect(await world.get(workflowRunKind, "r")).toBeUndefined();
    expect(await world.get(workflowRunKind, "s")).toBeUndefined();
  });

  test("deleting a run cancels it, cleans up and drops its logs", async () => {
    await world.workflow("w", { steps: [step("a")] });
    const { uid } = (await world.run("r", "w")).metadata;
    await begun("a");
    world.machines.job("a").output.stdout = Buffer.from("partial");
    await world.clock.advance(5000);
    expect(await world.logs.streams(`${uid}/`)).toHaveLength(1);
    await world.remove(workflowRunKind, "r");
    await world.clock.runUntil(async () => (await world.get(workflowRunKind, "r")) === undefined, 60_000);
    expect(world.machines.job("a").observation).toEqual({ state: "Abandoned" });
    expect(await world.logs.streams(`${uid}/`)).toEqual([]);
    expect(await world.get(instanceKind, "r-box")).toBeUndefined();
  });

  test.each([
    { cleanup: "Always", exitCode: 1, stays: false, owned: false, reason: "Always deletes after a failure too" },
    { cleanup: "OnSuccess", exitCode: 0, stays: false, owned: false, reason: "OnSuccess deletes after success" },
    {
      cleanup: "OnSuccess",
      exitCode: 1,
      stays: true,
      owned: true,
      reason: "OnSuccess leaves a failure to be looked at, as long as the run is there",
    },
    {
      cleanup: "Never",
      exitCode: 0,
      stays: true,
      owned: false,
      reason: "Never leaves a machine that nothing collects",
    },
  ])("$reason", async ({ cleanup, exitCode, stays, owned }) => {
    await world.workflow("w", { steps: [step("a")], cleanup });
    await world.run("r", "w");
    await begun("a");
    world.machines.exit("a", exitCode);
    await world.finished("r");
    await world.clock.advance(1000);
    const box = await world.get(instanceKind, "r-box");
    expect(box !== undefined).toBe(stays);
    expect((box?.metadata.ownerReferences ?? []).length > 0).toBe(owned);
    expect(world.machines.job("a").released, "files are freed on a machine that is meant to stay").toBe(
      cleanup === "Never",
    );
    await world.remove(workflowRunKind, "r");
    await world.clock.advance(10_000);
    expect(await world.get(workflowRunKind, "r")).toBeUndefined();
    expect((await world.get(instanceKind, "r-box")) !== undefined).toBe(cleanup === "Never");
  });

  test("a run that is deleted with its dependents orphaned leaves its machine, which nothing owns then", async () => {
    await world.workflow("w", { steps: [step("a")], cleanup: "OnSuccess" });
    await world.run("r", "w");
    await begun("a");
    world.machines.exit("a", 1);
    await world.finished("r");
    await world.remove(workflowRunKind, "r", "Orphan");
    await world.clock.advance(10_000);
    const box = await world.get(instanceKind, "r-box");
    expect(box?.metadata).toMatchObject({ name: "r-box" });
    expect(box?.metadata.ownerReferences ?? []).toEqual([]);
    expect((await world.get(workflowRunKind, "r"))?.metadata.finalizers).toEqual(["orphan"]);
  });

  test("a step waits for its instance and says what for", async () => {
    world.hold("Creating");
    await world.workflow("w", { steps: [step("a")] });
    await world.run("r", "w");
    await world.clock.advance(10_000);
    expect(await world.succeeded("r")).toMatchObject({
      status: "Unknown",
      reason: "Waiting",
      message: "step a waits for instance r-box to be ready (Creating: as told)",
    });
    world.hold("Ready");
    await begun("a");
  });

  test("an instance that Fly refuses fails the run with Fly's words", async () => {
    world.hold("Refused");
    await world.workflow("w", { steps: [step("a")] });
    await world.run("r", "w");
    await world.finished("r");
    expect(await world.succeeded("r")).toMatchObject({
      reason: "StepFailed",
      message: "step a failed: instance r-box is not ready: as told",
    });
  });

  test("an instance of that name that is somebody else's is not touched", async () => {
    await world.instance("r-box");
    await world.workflow("w", { steps: [step("a")] });
    await world.run("r", "w");
    await world.finished("r");
    expect((await world.get(workflowRunKind, "r"))?.status?.steps?.[0]).toMatchObject({ reason: "InstanceNameTaken" });
    await world.clock.advance(1000);
    expect(await world.get(instanceKind, "r-box")).toBeDefined();
  });

  test("a run may come a little before its workflow", async () => {
    await world.run("r", "w");
    await world.clock.advance(10_000);
    expect(await world.succeeded("r")).toMatchObject({ status: "Unknown", reason: "WorkflowNotFound" });
    await world.workflow("w", { steps: [step("a")] });
    await begun("a");
  });

  test("a run whose workflow does not come has failed and says so", async () => {
    await world.run("r", "w");
    await world.finished("r");
    expect(await world.succeeded("r")).toMatchObject({
      reason: "WorkflowNotFound",
      message: "workflow w does not exist in namespace default",
    });
  });

  test("values that do not fit a workflow that came later fail the run and name the parameter", async () => {
    await world.run("r", "w");
    await world.workflow("w", { parameters: [{ name: "url", required: true }], steps: [step("a")] });
    await world.finished("r");
    expect(await world.succeeded("r")).toMatchObject({
      reason: "Invalid",
      message: "workflow w: no value for the parameter url",
    });
  });

  test("a finished run is not written again, and a running one only when something changes", async () => {
    await world.workflow("w", { steps: [step("a")] });
    await world.run("r", "w");
    await begun("a");
    await world.clock.advance(5000);
    const running = (await world.get(workflowRunKind, "r"))?.metadata.resourceVersion;
    await world.clock.advance(120_000);
    expect((await world.get(workflowRunKind, "r"))?.metadata.resourceVersion).toBe(running);
    world.machines.exit("a", 0);
    await world.finished("r");
    const finished = (await world.get(workflowRunKind, "r"))?.metadata.resourceVersion;
    await world.clock.advance(600_000);
    expect((await world.get(workflowRunKind, "r"))?.metadata.resourceVersion).toBe(finished);
  });
});
