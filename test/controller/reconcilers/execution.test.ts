import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { executionKind } from "../../../crds/execution.ts";
import { instanceKind } from "../../../crds/instance.ts";
import { type RunWorld, runWorld } from "../../run-world.ts";

describe.each([{ watch: true }, { watch: false }])("with watchers: $watch", ({ watch }) => {
  let world: RunWorld;
  beforeEach(async () => {
    world = await runWorld({ watch });
    await world.instance("box");
    await world.clock.advance(1000);
  });
  afterEach(() => world.close());

  const status = async () => (await world.get(executionKind, "e"))?.status;
  const begun = () => world.clock.runUntil(() => world.machines.jobs.length > 0, 60_000);
  const over = () =>
    world.clock.runUntil(async () => ((await status())?.state ?? "Running") !== "Running", 10 * 60_000);

  test("a command runs on the instance's machine and leaves its exit code and output", async () => {
    const { uid } = (await world.execution("e", { command: "echo hi" })).metadata;
    await begun();
    expect(await status()).toMatchObject({ state: "Running", machineId: world.machines.job("exec").machineId });
    expect(world.machines.job("exec").input).toEqual({ command: "echo hi" });
    world.machines.exit("exec", 0, "hi\n");
    await over();
    expect(await status()).toMatchObject({ state: "Succeeded", exitCode: 0, observedGeneration: 1 });
    expect(Buffer.from(await world.logs.read(`${uid}/exec/1/stdout`, 0, 100)).toString()).toBe("hi\n");
    expect(world.machines.job("exec").released).toBe(true);
  });

  test("an exit code other than 0 is a failure with that code", async () => {
    await world.execution("e", {});
    await begun();
    world.machines.exit("exec", 3);
    await over();
    expect(await status()).toMatchObject({ state: "Failed", exitCode: 3 });
  });

  test("a command that takes too long is killed and has no exit code", async () => {
    await world.execution("e", { timeoutMs: 2500 });
    await begun();
    const beganMs = world.clock.now();
    await over();
    expect(world.clock.now() - beganMs).toBeLessThan(4000);
    expect(world.machines.job("exec").observation).toEqual({ state: "Abandoned" });
    expect(await status()).toMatchObject({
      state: "Timeout",
      message: "took longer than 2500 ms; its process group was killed",
    });
    expect(await status()).not.toHaveProperty("exitCode");
  });

  test("cancelling ends it", async () => {
    await world.execution("e", {});
    await begun();
    await world.admission.update(executionKind, { namespace: "default", name: "e" }, (current) => ({
      ...current,
      spec: { ...current.spec, cancel: true },
    }));
    await over();
    expect(await status()).toMatchObject({ state: "Cancelled" });
    expect(world.machines.job("exec").observation).toEqual({ state: "Abandoned" });
  });

  test("what is long overdue on a machine that does not let itself be cancelled is tried every few seconds, not at once", async () => {
    await world.execution("e", { timeoutMs: 1000 });
    await begun();
    world.machines.deafToCancel = true;
    await world.clock.advance(30 * 60_000);
    const before = world.machines.cancels;
    await world.clock.advance(60_000);
    expect(world.machines.cancels - before).toBeLessThan(30);
  });

  test("it survives a controller that dies", async () => {
    await world.execution("e", {});
    await begun();
    await world.restart();
    world.machines.exit("exec", 0, "late\n");
    await over();
    expect(await status()).toMatchObject({ state: "Succeeded" });
    expect(world.machines.jobs).toHaveLength(1);
  });

  test("a lost reply starts it once", async () => {
    world.machines.loseReplies = 1;
    await world.execution("e", {});
    await begun();
    await world.clock.advance(10_000);
    world.machines.exit("exec", 0);
    await over();
    expect(world.machines.jobs).toHaveLength(1);
  });

  test("one that began, was not answered and is forgotten by its machine does not begin again", async () => {
    world.machines.loseReplies = 1;
    await world.execution("e", {});
    await begun();
    world.machines.reboot(world.machines.job("exec").machineId, true);
    await world.restart();
    await over();
    expect(world.machines.jobs).toHaveLength(1);
    expect(await status()).toMatchObject({ state: "Failed", message: "lost: the machine has booted again" });
  });

  test.each([
    { instance: "nobody", message: "instance nobody does not exist in namespace default" },
    { instance: "late", message: "instance late is not running (Creating: as told)" },
  ])("on an instance that cannot run it, it fails: $message", async ({ instance, message }) => {
    world.hold("Creating");
    await world.instance("late");
    await world.clock.advance(100);
    await world.execution("e", { instance });
    await over();
    expect(await status()).toMatchObject({ state: "Failed", message });
  });

  test("a machine that goes takes the command with it", async () => {
    await world.execution("e", {});
    await begun();
    await world.remove(instanceKind, "box");
    await over();
    expect(await status()).toMatchObject({
      state: "Failed",
      message: "lost: instance box is gone, the command with it",
    });
  });

  test("a reboot loses it", async () => {
    await world.execution("e", {});
    await begun();
    world.machines.reboot(world.machines.job("exec").machineId);
    await over();
    expect(await status()).toMatchObject({ state: "Failed", message: "lost: the machine has booted again" });
  });

  test("a machine that never answers ends it a while after its time", async () => {
    world.machines.down.add(`m-${(await world.get(instanceKind, "box"))?.metadata.uid}`);
    await world.execution("e", { timeoutMs: 5000 });
    await over();
    expect(await status()).toMatchObject({ state: "Timeout", message: expect.stringContaining("does not answer") });
    expect(world.machines.jobs).toEqual([]);
  });

  test("it is kept for a day, then it and its output are gone", async () => {
    const { uid } = (await world.execution("e", {})).metadata;
    await begun();
    world.machines.exit("exec", 0, "out");
    await over();
    // The instance's own controller ticks each second; without it a day is a few steps.
    await world.remove(instanceKind, "box");
    await world.clock.advance(23 * 60 * 60_000);
    expect(await world.logs.streams(`${uid}/`)).toHaveLength(1);
    await world.clock.advance(61 * 60_000);
    expect(await world.get(executionKind, "e")).toBeUndefined();
    expect(await world.logs.streams(`${uid}/`)).toEqual([]);
  });

  test("deleting one that runs ends it first", async () => {
    await world.execution("e", {});
    await begun();
    await world.remove(executionKind, "e");
    await world.clock.runUntil(async () => (await world.get(executionKind, "e")) === undefined, 60_000);
    expect(world.machines.job("exec").observation).toEqual({ state: "Abandoned" });
  });
});
