// The simple REST face of instances and of commands on them.
import { beforeEach, describe, expect, test } from "vitest";
import { instanceState } from "../../../api/rest/instance-view.ts";
import { executionKind } from "../../../crds/execution.ts";
import { type Instance, instanceKind } from "../../../crds/instance.ts";
import { type Answer, INSTANCES, instance, type TestApi, testApi } from "../test-api.ts";

let api: TestApi;
beforeEach(async () => {
  api = await testApi();
});

describe("what is refused", () => {
  test.each([
    {
      reason: "an unknown field",
      request: ["POST", "/api/instances", { nam: "x" }],
      status: 400,
      error: { code: "validation_failed", details: [{ field: "nam", message: 'unknown field, did you mean "name"?' }] },
    },
    {
      reason: "a size that Fly does not have",
      request: ["POST", "/api/instances", { size: "huge" }],
      status: 400,
      error: { code: "validation_failed", details: [{ field: "size" }] },
    },
    {
      reason: "memory that does not fit the size",
      request: ["POST", "/api/instances", { size: "performance-1x", memoryMb: 256 }],
      status: 400,
      error: {
        details: [
          {
            field: "memoryMb",
            message:
              "Invalid value: 256: must be between 2048 and 8192 MiB for size performance-1x; leave it out for the size's own 2048 MiB",
          },
        ],
      },
    },
    {
      reason: "a name that cannot be",
      request: ["POST", "/api/instances", { name: "Bad_Name" }],
      status: 400,
      error: { code: "validation_failed", details: [{ field: "name" }] },
    },
    {
      reason: "a name that is taken",
      request: ["POST", "/api/instances", { name: "box" }],
      status: 409,
      error: { code: "conflict", message: 'instances.fly.lightfast.ai "box" already exists' },
    },
    {
      reason: "an array for a body",
      request: ["POST", "/api/instances", []],
      status: 400,
      error: { code: "validation_failed" },
    },
    {
      reason: "an instance that is not there",
      request: ["GET", "/api/instances/nobody"],
      status: 404,
      error: { code: "not_found", message: 'instances.fly.lightfast.ai "nobody" not found' },
    },
    {
      reason: "the deletion of nothing",
      request: ["DELETE", "/api/instances/nobody"],
      status: 404,
      error: { code: "not_found" },
    },
    {
      reason: "a command without text",
      request: ["POST", "/api/instances/box/exec", {}],
      status: 400,
      error: { details: [{ field: "command" }] },
    },
    {
      reason: "a command on an instance that does not run",
      request: ["POST", "/api/instances/box/exec", { command: "id" }],
      status: 409,
      error: { code: "conflict", message: 'instance "box" is pending, not running; wait until it is running' },
    },
    {
      reason: "an execution that is not there",
      request: ["GET", "/api/instances/executions/nothing"],
      status: 404,
      error: { code: "not_found" },
    },
    { reason: "a path that is not there", request: ["GET", "/api/nothing"], status: 404, error: { code: "not_found" } },
    {
      reason: "a method that is not there",
      request: ["PUT", "/api/instances"],
      status: 405,
      error: { code: "method_not_allowed" },
    },
  ] as const)("$reason: $status", async ({ request, status, error }) => {
    await api.send("POST", "/api/instances", { name: "box" });
    const [method, path, body] = request;
    const answer = await api.send(method, path, body);
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject({ error });
  });
});

describe("instances", () => {
  test("are made at once, with what was not said filled in, and are the same objects that kubectl sees", async () => {
    const { status, body } = await api.send("POST", "/api/instances", { name: "box", memoryMb: 512 });
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      name: "box",
      status: "pending",
      region: "iad",
      size: "shared-cpu-1x",
      memoryMb: 512,
      image: "ubuntu:22.04",
      privateIp: null,
      machineId: null,
      createdAt: "2026-01-01T00:00:00Z",
    });
    expect((await api.send("GET", `${INSTANCES}/box`)).body.metadata.uid).toBe(body.id);
  });

  test("get a name when none is given, also without a body", async () => {
    expect((await api.send("POST", "/api/instances")).body.name).toMatch(/^instance-\w{5}$/);
  });

  test("are found by uid and by name, and listed by namespace", async () => {
    const { body } = await api.send("POST", "/api/instances", { name: "box" });
    expect((await api.send("GET", `/api/instances/${body.id}`)).body).toEqual(body);
    expect((await api.send("GET", "/api/instances/box")).body).toEqual(body);
    expect((await api.send("GET", "/api/instances")).body.items).toEqual([body]);
    expect((await api.send("GET", "/api/instances?namespace=other")).body.items).toEqual([]);
  });

  test("are destroying until their finalizer is gone, then not found", async () => {
    await api.send("POST", INSTANCES, instance("box", {}, { finalizers: ["example.com/f"] }));
    const deleted = await api.send("DELETE", "/api/instances/box");
    expect([deleted.status, deleted.body.status]).toEqual([202, "destroying"]);
    expect((await api.send("GET", "/api/instances/box")).body.status).toBe("destroying");
    await api.send(
      "PATCH",
      `${INSTANCES}/box`,
      { metadata: { finalizers: null } },
      { "content-type": "application/merge-patch+json" },
    );
    expect((await api.send("GET", "/api/instances/box")).status).toBe(404);
  });

  test("with wait=true the answer comes when the instance is ready", async () => {
    const answer = api.send("POST", "/api/instances?wait=true", { name: "box" });
    await api.clock.settle();
    await makeRunning("box");
    expect((await answer).body.status).toBe("running");
  });

  test("with wait=true the answer says how far it came when the time is over", async () => {
    const answer = api.send("POST", "/api/instances?wait=true&timeout=5000", { name: "box" });
    await api.clock.settle();
    await api.clock.advance(5000);
    expect([(await answer).status, (await answer).body.status]).toEqual([201, "pending"]);
  });
});

describe("the one word for the state of an instance", () => {
  const condition = (status: string, reason: string) => ({
    type: "Ready",
    status,
    reason,
    message: "",
    observedGeneration: 1,
    lastTransitionTime: "",
  });
  const machine = (state: string) => ({ id: "m", state, region: "iad", privateIp: "fdaa::1", instanceId: "v" });
  test.each([
    { reason: "nothing has happened yet", status: {}, state: "pending" },
    { reason: "a machine is being asked for", status: { provisioning: {} }, state: "creating" },
    {
      reason: "there is no room",
      status: { provisioning: {}, conditions: [condition("False", "NoCapacity")] },
      state: "pending",
    },
    {
      reason: "Fly refused",
      status: { provisioning: {}, conditions: [condition("False", "Refused")] },
      state: "failed",
    },
    {
      reason: "started, not reached yet",
      status: { machine: machine("started"), conditions: [condition("False", "Connecting")] },
      state: "creating",
    },
    {
      reason: "ready",
      status: { machine: machine("started"), conditions: [condition("True", "Ready")] },
      state: "running",
    },
    {
      reason: "the host key is another one",
      status: { machine: machine("started"), conditions: [condition("False", "HostKeyMismatch")] },
      state: "failed",
    },
    {
      reason: "stopped, and started again by us",
      status: { machine: machine("stopped"), effectiveMode: "Running" },
      state: "creating",
    },
    { reason: "stopped as asked", status: { machine: machine("stopped"), effectiveMode: "Stopped" }, state: "stopped" },
    {
      reason: "suspended by idling",
      status: { machine: machine("suspending"), effectiveMode: "Suspended" },
      state: "suspended",
    },
    { reason: "the machine failed", status: { machine: machine("failed") }, state: "failed" },
    {
      reason: "being deleted while ready",
      status: { conditions: [condition("True", "Ready")] },
      deleting: true,
      state: "destroying",
    },
  ])("$reason: $state", ({ status, deleting, state }) => {
    const metadata = deleting ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {};
    // As much of an instance as the view looks at.
    expect(instanceState({ metadata, spec: { operatingMode: "Running" }, status } as unknown as Instance)).toBe(state);
  });
});

describe("commands", () => {
  beforeEach(async () => {
    await api.send("POST", "/api/instances", { name: "box" });
    await makeRunning("box");
  });

  test("the answer comes when the command has ended, with its output", async () => {
    const answer = api.send("POST", "/api/instances/box/exec", { command: "echo hi", timeout: 1000 });
    const execution = await begun();
    expect(execution.spec).toMatchObject({ instance: "box", command: "echo hi", timeoutMs: 1000 });
    await finish(execution.metadata.name, { state: "Failed", exitCode: 3 }, "hi\n", "oh\n");
    const { status, body } = await answer;
    expect(status).toBe(200);
    expect(body).toEqual({
      executionId: execution.metadata.uid,
      status: "failed",
      exitCode: 3,
      stdout: "hi\n",
      stderr: "oh\n",
      startedAt: "2026-01-01T00:00:01.000Z",
      completedAt: "2026-01-01T00:00:02.000Z",
    });
    expect((await api.send("GET", `/api/instances/executions/${body.executionId}`)).body).toEqual(body);
  });

  test("a command that timed out has no exit code", async () => {
    const answer = api.send("POST", "/api/instances/box/exec", { command: "sleep 9", timeout: 1000 });
    await finish((await begun()).metadata.name, { state: "Timeout" }, "", "");
    expect((await answer).body).toMatchObject({ status: "timeout", exitCode: null });
  });

  test("when nobody says how it ended, the answer is that it runs, some time after the timeout", async () => {
    let answer: Answer | undefined;
    const sent = api.send("POST", "/api/instances/box/exec", { command: "sleep 9", timeout: 1000 }).then((each) => {
      answer = each;
    });
    await begun();
    await api.clock.advance(10_000);
    expect(answer).toBeUndefined();
    await api.clock.advance(1000);
    await sent;
    expect(answer?.body).toMatchObject({ status: "running", exitCode: null });
  });

  async function begun() {
    for (;;) {
      const [execution] = (await api.store.list(executionKind)).items;
      if (execution) return execution;
      await api.clock.settle();
    }
  }

  async function finish(name: string, status: object, stdout: string, stderr: string): Promise<void> {
    const execution = await api.store.get(executionKind, { namespace: "default", name });
    const stream = (which: string) => `${execution?.metadata.uid}/exec/1/${which}`;
    await api.logs.append(stream("stdout"), 0, new TextEncoder().encode(stdout));
    await api.logs.append(stream("stderr"), 0, new TextEncoder().encode(stderr));
    const times = { startedAt: "2026-01-01T00:00:01.000Z", completedAt: "2026-01-01T00:00:02.000Z" };
    await api.store.updateStatus(executionKind, { namespace: "default", name }, () => ({ ...times, ...status }));
  }
});

async function makeRunning(name: string): Promise<void> {
  const condition = {
    type: "Ready",
    status: "True",
    reason: "Ready",
    message: "",
    observedGeneration: 1,
    lastTransitionTime: "",
  };
  await api.store.updateStatus(instanceKind, { namespace: "default", name }, () => ({ conditions: [condition] }));
}
