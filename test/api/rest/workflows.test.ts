// The simple REST face of workflows, their runs, and the output of their steps.
import { beforeEach, describe, expect, test } from "vitest";
import { workflowRunKind } from "../../../crds/workflow-run.ts";
import { lines, RUNS, type TestApi, testApi, WORKFLOWS } from "../test-api.ts";

const DEFINITION = {
  parameters: [{ name: "repoUrl", required: true }, { name: "count" }, { name: "dry" }],
  instances: { box: {} },
  steps: [
    { name: "zero", run: "true" },
    { name: "alpha", run: "true", dependsOn: ["zero"] },
  ],
};

let api: TestApi;
beforeEach(async () => {
  api = await testApi();
  await api.send("POST", "/api/workflows", { name: "build", ...DEFINITION });
});

describe("what is refused", () => {
  const manifest = { apiVersion: "fly.lightfast.ai/v1", kind: "Workflow", metadata: { name: "m" } };
  test.each([
    {
      reason: "an unknown field of a flat body",
      path: "/api/workflows",
      body: { name: "x", stepz: [] },
      status: 400,
      details: [{ field: "stepz", message: 'unknown field, did you mean "steps"?' }],
    },
    {
      reason: "an unknown field of a manifest",
      path: "/api/workflows",
      body: { ...manifest, spec: { stepz: [] } },
      status: 400,
      details: [{ field: "spec.stepz" }],
    },
    {
      reason: "a missing parameter",
      path: "/api/workflows/build/execute",
      body: {},
      status: 400,
      details: [{ field: "context.repoUrl", message: "Required value: the workflow requires the parameter repoUrl" }],
    },
    {
      reason: "an unknown parameter",
      path: "/api/workflows/build/execute",
      body: { context: { repoUrl: "r", repoURL: "s" } },
      status: 400,
      details: [{ field: "context.repoURL", message: "the workflow has no parameter repoURL, did you mean repoUrl?" }],
    },
    {
      reason: "a parameter that is no text",
      path: "/api/workflows/build/execute",
      body: { context: { repoUrl: {} } },
      status: 400,
      details: [{ field: "context.repoUrl" }],
    },
    { reason: "a workflow that is not there", path: "/api/workflows/none/execute", body: {}, status: 404, details: [] },
    { reason: "cancelling nothing", path: "/api/workflows/executions/none/cancel", body: {}, status: 404, details: [] },
  ])("$reason: $status", async ({ path, body, status, details }) => {
    const answer = await api.send("POST", path, body);
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject({ error: { details } });
  });
});

describe("workflows", () => {
  test("are made from a flat body or a manifest, and found by name and uid", async () => {
    const flat = await api.send("GET", "/api/workflows/build");
    expect(flat.body).toMatchObject({ name: "build", builtIn: false, steps: [{ name: "zero" }, { name: "alpha" }] });
    expect((await api.send("GET", `/api/workflows/${flat.body.id}`)).body).toEqual(flat.body);
    const metadata = { name: "other", labels: { "fly.lightfast.ai/built-in": "true" } };
    const made = await api.send("POST", "/api/workflows", {
      apiVersion: "fly.lightfast.ai/v1",
      kind: "Workflow",
      metadata,
      spec: DEFINITION,
    });
    expect([made.status, made.body.builtIn]).toEqual([201, true]);
    expect((await api.send("GET", "/api/workflows")).body.items.map((each) => each.name)).toEqual(["build", "other"]);
    expect((await api.send("GET", `${WORKFLOWS}/other`)).status).toBe(200);
  });
});

describe("executions", () => {
  const execute = async (context: object = { repoUrl: "r" }) =>
    (await api.send("POST", "/api/workflows/build/execute", { context })).body;

  test("begin pending, with numbers and booleans as text", async () => {
    const answer = await api.send("POST", "/api/workflows/build/execute", {
      context: { repoUrl: "r", count: 3, dry: true },
    });
    expect(answer.status).toBe(202);
    expect(answer.body).toMatchObject({
      status: "pending",
      executionId: expect.any(String),
      name: expect.stringMatching(/^build-\w{5}$/),
    });
    const run = await api.send("GET", `${RUNS}/${answer.body.name}`);
    expect(run.body.spec).toEqual({
      workflowRef: { name: "build" },
      parameters: { repoUrl: "r", count: "3", dry: "true" },
      cancel: false,
    });
  });

  test("show their steps", async () => {
    const { executionId, name } = await execute();
    const step = {
      name: "zero",
      state: "Failed",
      attempts: 2,
      exitCode: 7,
      startedAt: "2026-01-01T00:00:01.000Z",
      message: "no",
    };
    await setStatus(name, { startedAt: "2026-01-01T00:00:01.000Z", steps: [step] });
    const { body } = await api.send("GET", `/api/workflows/executions/${executionId}`);
    expect(body).toMatchObject({
      executionId,
      workflowId: "build",
      status: "running",
      steps: [{ name: "zero", status: "failed", attempts: 2, exitCode: 7, finishedAt: null, message: "no" }],
    });
    expect((await api.send("GET", "/api/workflows/build/executions")).body.items).toEqual([body]);
    expect((await api.send("GET", `/api/workflows/executions/${name}`)).body).toEqual(body);
  });

  test.each([
    ["True", "Succeeded", "succeeded"],
    ["False", "StepFailed", "failed"],
    ["False", "Cancelled", "cancelled"],
  ])("Succeeded=%s with reason %s is %s", async (status, reason, word) => {
    const { executionId, name } = await execute();
    await finishRun(name, status, reason);
    expect((await api.send("GET", `/api/workflows/executions/${executionId}`)).body.status).toBe(word);
  });

  test("are cancelled once, and not after their end", async () => {
    const { executionId, name } = await execute();
    for (const _ of ["first", "again"]) {
      const answer = await api.send("POST", `/api/workflows/executions/${executionId}/cancel`);
      expect([answer.status, answer.body.executionId]).toEqual([202, executionId]);
    }
    expect((await api.send("GET", `${RUNS}/${name}`)).body.spec.cancel).toBe(true);
    await finishRun(name, "False", "Cancelled");
    expect((await api.send("POST", `/api/workflows/executions/${executionId}/cancel`)).status).toBe(409);
  });

  describe("logs", () => {
    const bytes = (text: string) => new TextEncoder().encode(text);
    const read = async (path: string) => {
      const response = await api.api.request(path);
      expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/x-ndjson"]);
      return lines(response);
    };

    test("come in the order of the steps, each piece with its place", async () => {
      const { executionId, name } = await execute();
      await setStatus(name, {
        definition: { uid: "u", generation: 1, spec: (await api.send("GET", `${WORKFLOWS}/build`)).body.spec },
      });
      await api.logs.append(`${executionId}/alpha/1/stdout`, 0, bytes("a"));
      await api.logs.append(`${executionId}/zero/2/stdout`, 0, bytes("z2"));
      await api.logs.append(`${executionId}/zero/1/stderr`, 0, bytes("e"));
      await api.logs.append(`${executionId}/zero/1/stdout`, 0, bytes("z1"));
      const all = await read(`/api/workflows/executions/${executionId}/logs`);
      expect([await all.next(), await all.next(), await all.next(), await all.next(), await all.next()]).toEqual([
        { step: "zero", attempt: 1, stream: "stdout", offset: 0, data: "z1" },
        { step: "zero", attempt: 1, stream: "stderr", offset: 0, data: "e" },
        { step: "zero", attempt: 2, stream: "stdout", offset: 0, data: "z2" },
        { step: "alpha", attempt: 1, stream: "stdout", offset: 0, data: "a" },
        undefined,
      ]);
      const some = await read(`${RUNS}/${name}/log?step=zero&stream=stdout&offset=1`);
      expect([await some.next(), await some.next(), await some.next()]).toMatchObject([
        { attempt: 1, offset: 1, data: "1" },
        { attempt: 2, offset: 1, data: "2" },
        undefined,
      ]);
    });

    test("are followed until the run is finished, characters whole, bytes that are no text in base64", async () => {
      const { executionId, name } = await execute();
      const stream = `${executionId}/zero/1/stdout`;
      const followed = await read(`/api/workflows/executions/${executionId}/logs?follow=true`);
      const first = followed.next();
      await api.logs.append(stream, 0, bytes("é").slice(0, 1));
      await api.logs.append(stream, 1, bytes("é").slice(1));
      expect(await first).toMatchObject({ offset: 0, data: "é" });
      const second = followed.next();
      await api.logs.append(stream, 2, new Uint8Array([0xff, 0x41]));
      expect(await second).toMatchObject({ offset: 2, data: "/0E=", encoding: "base64" });
      const third = followed.next();
      await api.logs.append(stream, 4, bytes("é").slice(0, 1));
      await finishRun(name, "True", "Succeeded");
      expect(await third).toMatchObject({ offset: 4, data: "ww==", encoding: "base64" });
      expect(await followed.next()).toBeUndefined();
    });

    test("end at once when the server closes", async () => {
      const { executionId } = await execute();
      const closing = new AbortController();
      const response = await api.api.request(
        `/api/workflows/executions/${executionId}/logs?follow=true`,
        {},
        { closing: closing.signal },
      );
      const next = lines(response).next();
      closing.abort();
      expect(await next).toBeUndefined();
    });
  });
});

async function setStatus(name: string, status: object): Promise<void> {
  await api.store.updateStatus(workflowRunKind, { namespace: "default", name }, () => status);
}

async function finishRun(name: string, status: string, reason: string): Promise<void> {
  const condition = { type: "Succeeded", status, reason, message: "", observedGeneration: 1, lastTransitionTime: "" };
  await setStatus(name, { startedAt: "2026-01-01T00:00:01.000Z", conditions: [condition] });
}
