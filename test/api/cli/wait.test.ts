import { describe, expect, test } from "vitest";
import { type InstanceStatus, instanceKind } from "../../../crds/instance.ts";
import type { Condition } from "../../../crds/resource.ts";
import { instance } from "../test-api.ts";
import { type TestCli, testCli } from "./test-cli.ts";

const KEY = { namespace: "default", name: "web" };

function ready(status: Condition["status"], observedGeneration = 1): InstanceStatus {
  const condition = { type: "Ready", status, reason: "Creating", message: "the machine boots", observedGeneration };
  return { conditions: [{ ...condition, lastTransitionTime: "2026-01-01T00:00:00Z" }] };
}

async function withInstance(metadata: object = {}): Promise<TestCli> {
  const cli = await testCli();
  await cli.admission.create(instanceKind, instance("web", {}, { namespace: "default", ...metadata }));
  return cli;
}

describe("wait", () => {
  test("ends when the condition holds, however it got there", async () => {
    const cli = await withInstance();
    const waiting = cli.start("wait inst/web --for=condition=Ready --timeout=5m");
    await cli.clock.advance(60_000);
    await cli.store.updateStatus(instanceKind, KEY, () => ready("False"));
    await cli.clock.settle();
    expect(waiting.out()).toBe("");
    await cli.store.updateStatus(instanceKind, KEY, () => ready("True"));
    expect(await waiting.ended).toEqual({ code: 0, out: "instance/web condition met\n", err: "" });
    expect(await cli.run("wait inst web --for=condition=ready=true")).toMatchObject({ code: 0 });
  });

  test("a verdict on an older spec does not count", async () => {
    const cli = await withInstance();
    await cli.store.updateStatus(instanceKind, KEY, () => ready("True", 1));
    await cli.send("PATCH", "/apis/fly.lightfast.ai/v1/namespaces/default/instances/web", { spec: { ttl: "8h" } });
    const waiting = cli.start("wait inst/web --for=condition=Ready");
    await cli.clock.settle();
    expect(waiting.out()).toBe("");
    await cli.store.updateStatus(instanceKind, KEY, () => ready("True", 2));
    expect((await waiting.ended).code).toBe(0);
  });

  test("says what was in the way when the time is over", async () => {
    const cli = await withInstance();
    await cli.store.updateStatus(instanceKind, KEY, () => ready("False"));
    const waiting = cli.start("wait inst/web --for=condition=Ready --timeout=1m30s");
    await cli.clock.advance(89_000);
    expect(waiting.err()).toBe("");
    await cli.clock.advance(1000);
    const { code, err } = await waiting.ended;
    expect(code).toBe(1);
    expect(err).toBe(
      "error: instance/web: waited 1m30s for Ready=True; Ready is False (Creating: the machine boots)\n",
    );
  });

  test("waits for a field to have a value", async () => {
    const cli = await withInstance();
    const waiting = cli.start("wait inst/web --for=jsonpath={.status.message}=done");
    await cli.clock.settle();
    await cli.store.updateStatus(instanceKind, KEY, () => ({ message: "not yet" }));
    await cli.clock.settle();
    await cli.store.updateStatus(instanceKind, KEY, () => ({ message: "done" }));
    expect((await waiting.ended).code).toBe(0);
  });

  test("for deletion it wants this object gone, not its name", async () => {
    const cli = await withInstance();
    const waiting = cli.start("wait inst/web --for=delete");
    await cli.clock.settle();
    await cli.admission.delete(instanceKind, KEY);
    await cli.admission.create(instanceKind, instance("web", {}, { namespace: "default" }));
    expect(await waiting.ended).toMatchObject({ code: 0, out: "instance/web deleted\n" });
    expect(await cli.run("wait inst/nothing --for=delete")).toMatchObject({ code: 0 });
  });

  test("one that is deleted meanwhile, or was never there, is an error at once", async () => {
    const cli = await withInstance();
    const waiting = cli.start("wait inst/web --for=condition=Ready");
    await cli.clock.settle();
    await cli.admission.delete(instanceKind, KEY);
    expect(await waiting.ended).toMatchObject({ code: 1, err: "error: instance/web was deleted meanwhile\n" });
    expect((await cli.run("wait inst/web --for=condition=Ready")).err).toContain("instance/web not found");
  });

  test("waits for all that a selector chooses", async () => {
    const cli = await withInstance({ labels: { team: "a" } });
    await cli.admission.create(instanceKind, instance("db", {}, { namespace: "default", labels: { team: "a" } }));
    const waiting = cli.start("wait inst -l team=a --for=condition=Ready");
    await cli.clock.settle();
    await cli.store.updateStatus(instanceKind, { ...KEY, name: "db" }, () => ready("True"));
    await cli.clock.settle();
    expect(waiting.out()).toBe("instance/db condition met\n");
    await cli.store.updateStatus(instanceKind, KEY, () => ready("True"));
    expect((await waiting.ended).code).toBe(0);
    expect((await cli.run("wait inst -l team=b --for=condition=Ready")).err).toContain("nothing matches");
  });

  test.each([
    "wait inst/web",
    "wait inst --for=delete",
    "wait inst/web --for=sunshine",
    "wait inst/web --for=delete --timeout=5",
  ])("%s is typed wrong", async (line) => {
    const cli = await withInstance();
    expect((await cli.run(line)).code).toBe(2);
  });
});

describe("delete", () => {
  test("waits until a finalizer has let go", async () => {
    const cli = await withInstance({ finalizers: ["fly.lightfast.ai/machine"] });
    const deleting = cli.start("delete inst web");
    await cli.clock.advance(60_000);
    expect(deleting.out()).toBe("instance/web deleted\n");
    await cli.store.update(instanceKind, KEY, (current) => ({
      ...current,
      metadata: { ...current.metadata, finalizers: [] },
    }));
    expect(await deleting.ended).toEqual({ code: 0, out: "instance/web deleted\n", err: "" });
  });

  test("does not wait when told so, and says what holds it when the time is over", async () => {
    const cli = await withInstance({ finalizers: ["fly.lightfast.ai/machine"] });
    expect(await cli.run("delete inst/web --wait=false")).toMatchObject({ code: 0 });
    expect(await cli.run("delete inst/web --no-wait")).toMatchObject({ code: 0 });
    const deleting = cli.start("delete inst/web --timeout=10s");
    await cli.clock.advance(10_000);
    const { code, err } = await deleting.ended;
    expect(code).toBe(1);
    expect(err).toContain("instance/web: waited 10s to be gone; finalizers fly.lightfast.ai/machine remain");
  });

  test("takes files, labels and all", async () => {
    const cli = await withInstance({ labels: { team: "a" } });
    await cli.admission.create(instanceKind, instance("db", {}, { namespace: "default" }));
    const stdin = JSON.stringify(instance("gone"));
    expect(await cli.run("delete -f -", { stdin })).toMatchObject({ code: 1, out: "" });
    expect(await cli.run("delete -f - --ignore-not-found", { stdin })).toMatchObject({ code: 0, err: "" });
    expect((await cli.run("delete inst -l team=a")).out).toBe("instance/web deleted\n");
    expect((await cli.run("delete inst --all")).out).toBe("instance/db deleted\n");
  });

  test("never deletes all of a kind for want of a name", async () => {
    const cli = await withInstance();
    expect(await cli.run("delete inst")).toMatchObject({ code: 2, out: "" });
    expect(await cli.store.get(instanceKind, KEY)).toBeDefined();
  });
});
