// Every simple REST endpoint on the real server, with a machine behind it: what is answered, and what it did.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "./program.ts";
import { startServer, type TestServer } from "./server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ SSH_TIMEOUT: "20000" });
});
afterAll(() => server.close());

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

interface InstanceView {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly machineId: string | null;
  readonly privateIp: string | null;
}

interface ExecView {
  readonly executionId: string;
  readonly status: string;
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunView {
  readonly executionId: string;
  readonly workflowId: string;
  readonly status: string;
  readonly steps: readonly { readonly name: string; readonly status: string; readonly exitCode: number | null }[];
}

const failure = (code: string, details: unknown = expect.any(Array)) => ({
  error: { code, message: expect.stringMatching(/\w/), details },
});

const statusOf = async (name: string) => (await server.get<InstanceView>(`/api/instances/${name}`)).body.status;

describe("instances", () => {
  test("POST makes one and answers at once; it is there for kubectl's API too", async () => {
    const body = { name: "web", region: "ord", size: "shared-cpu-2x", memoryMb: 1024, image: "ubuntu:24.04" };
    const { status, body: made } = await server.send<InstanceView>("POST", "/api/instances", body);
    expect({ status, made }).toEqual({
      status: 201,
      made: expect.objectContaining({
        ...body,
        id: expect.stringMatching(UUID),
        status: expect.stringMatching(/^(pending|creating)$/),
        privateIp: null,
        machineId: null,
        createdAt: expect.stringMatching(TIME),
      }),
    });
    const object = await server.get("/apis/fly.lightfast.ai/v1/namespaces/default/instances/web");
    expect(object.body).toMatchObject({ kind: "Instance", metadata: { uid: made.id }, spec: { region: "ord" } });
    await server.send("DELETE", "/api/instances/web");
  });

  test("POST ?wait=true answers when it can be used, with defaults filled in and a name made up", async () => {
    const { status, body } = await server.send<InstanceView>("POST", "/api/instances?wait=true", {});
    expect({ status, body }).toMatchObject({
      status: 201,
      body: {
        name: expect.stringMatching(/^instance-/),
        status: "running",
        region: "iad",
        size: "shared-cpu-1x",
        memoryMb: 256,
        image: "ubuntu:22.04",
        machineId: expect.stringMatching(/^[0-9a-f]{14}$/),
        privateIp: expect.stringMatching(/^127\./),
      },
    });
    expect((await server.get(`/api/instances/${body.id}`)).body).toEqual(
      (await server.get(`/api/instances/${body.name}`)).body,
    );
    const list = await server.get<{ items: InstanceView[] }>("/api/instances");
    expect(list.body.items.map(({ name }) => name)).toContain(body.name);
  });

  test("DELETE answers destroying, and the machine goes with it", async () => {
    const { body: made } = await server.send<InstanceView>("POST", "/api/instances?wait=true", { name: "brief" });
    expect(await server.send("DELETE", "/api/instances/brief")).toMatchObject({
      status: 202,
      body: { id: made.id, status: "destroying" },
    });
    const gone = await until("it is gone", async () => {
      const answer = await server.get(`/api/instances/${made.id}`);
      return answer.status === 404 && answer;
    });
    expect(gone.body).toEqual(failure("not_found", []));
    const machine = await server.fly<{ state: string }>(
      "GET",
      `/v1/apps/lightfast-worker-instances/machines/${made.machineId}`,
    );
    expect(machine.body.state).toBe("destroyed");
  });

  test.each([
    ["a field that does not exist", { sise: "shared-cpu-1x" }, 400, "validation_failed", "sise"],
    ["a size that does not exist", { size: "huge" }, 400, "validation_failed", "size"],
    ["memory that Fly would refuse", { memoryMb: 300 }, 400, "validation_failed", "memoryMb"],
    ["a type that is wrong", { memoryMb: "256" }, 400, "validation_failed", "memoryMb"],
    ["a name that is none", { name: "Not A Name" }, 400, "validation_failed", "name"],
  ])("POST refuses %s and names it", async (_, body, status, code, field) => {
    const answer = await server.send("POST", "/api/instances", body);
    expect(answer).toMatchObject({
      status,
      body: failure(code, expect.arrayContaining([{ field, message: expect.stringMatching(/\w/) }])),
    });
  });

  test("errors that have no field have the same shape", async () => {
    const taken = { name: "taken" };
    await server.send("POST", "/api/instances", taken);
    expect(await server.send("POST", "/api/instances", taken)).toMatchObject({
      status: 409,
      body: failure("conflict"),
    });
    expect(await server.send("POST", "/api/instances", "{")).toMatchObject({
      status: 400,
      body: failure("validation_failed"),
    });
    expect(await server.send("POST", "/api/instances", { image: "x".repeat(4_000_000) })).toMatchObject({
      status: 413,
      body: failure("too_large"),
    });
    expect(await server.send("POST", "/api/instances", {}, { origin: "https://evil.example" })).toMatchObject({
      status: 403,
      body: failure("forbidden"),
    });
    for (const [method, path, body] of [
      ["GET", "/api/instances/nobody"],
      ["DELETE", "/api/instances/nobody"],
      ["POST", "/api/instances/nobody/exec", { command: "true" }],
      ["GET", "/api/instances/executions/nothing"],
      ["GET", "/api/workflows/nothing"],
      ["POST", "/api/workflows/nothing/execute", {}],
      ["GET", "/api/workflows/nothing/executions"],
      ["GET", "/api/workflows/executions/nothing"],
      ["POST", "/api/workflows/executions/nothing/cancel"],
      ["GET", "/api/no-such-thing"],
    ] as const) {
      const { status, body: said } = await server.send(method, path, body);
      expect({ method, path, status, said }).toEqual({ method, path, status: 404, said: failure("not_found") });
    }
    await server.send("DELETE", "/api/instances/taken");
  });
});

describe("exec", () => {
  beforeAll(async () => {
    await server.send("POST", "/api/instances?wait=true", { name: "box" });
  });
  const exec = (command: string, more: object = {}) =>
    server.send<ExecView>("POST", "/api/instances/box/exec", { command, ...more });

  test("answers 200 with both streams and the exit code, whatever it is", async () => {
    expect(await exec("echo out; echo err >&2; pwd; exit 3")).toMatchObject({
      status: 200,
      body: {
        executionId: expect.stringMatching(UUID),
        status: "failed",
        exitCode: 3,
        stdout: "out\n/root\n",
        stderr: "err\n",
        startedAt: expect.stringMatching(TIME),
        completedAt: expect.stringMatching(TIME),
      },
    });
    expect((await exec("true")).body).toMatchObject({ status: "succeeded", exitCode: 0, stdout: "", stderr: "" });
    expect((await exec("printf 'ä\\n😀'; head -c 300000 /dev/zero | tr '\\0' x")).body.stdout).toBe(
      `ä\n😀${"x".repeat(300_000)}`,
    );
  });

  test("a timeout kills the whole process group", async () => {
    const begin = performance.now();
    const { status, body } = await exec("echo before; sleep 617 & sleep 618", { timeout: 1500 });
    expect({ status, body }).toMatchObject({
      status: 200,
      body: { status: "timeout", exitCode: null, stdout: "before\n" },
    });
    expect(performance.now() - begin).toBeLessThan(10_000);
    const left = await exec("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c 'sleep 61[78]' || true");
    expect(left.body.stdout.trim()).toBe("0");
  });

  test("can be asked for later, after a restart, and when the instance is gone", async () => {
    await server.send("POST", "/api/instances?wait=true", { name: "mayfly" });
    const { body } = await server.send<ExecView>("POST", "/api/instances/mayfly/exec", { command: "echo remember" });
    const later = async () => (await server.get<ExecView>(`/api/instances/executions/${body.executionId}`)).body;
    expect(await later()).toEqual(body);
    await server.restart();
    expect(await later()).toEqual(body);
    await server.send("DELETE", "/api/instances/mayfly");
    await until("the instance is gone", async () => (await server.get("/api/instances/mayfly")).status === 404);
    expect(await later()).toEqual(body);
  });

  test("refuses an instance that is not running, and a body that is wrong", async () => {
    await server.apply({
      apiVersion: "fly.lightfast.ai/v1",
      kind: "Instance",
      metadata: { name: "resting" },
      spec: { operatingMode: "Stopped" },
    });
    await until("it is stopped", async () => (await statusOf("resting")) === "stopped");
    const stopped = await server.send("POST", "/api/instances/resting/exec", { command: "true" });
    expect(stopped).toMatchObject({ status: 409, body: failure("conflict") });
    for (const [body, field] of [
      [{}, "command"],
      [{ command: "" }, "command"],
      [{ command: "true", timeout: 0 }, "timeout"],
      [{ command: "true", tiemout: 5 }, "tiemout"],
    ] as const)
      expect(await server.send("POST", "/api/instances/box/exec", body)).toMatchObject({
        status: 400,
        body: failure("validation_failed", [expect.objectContaining({ field })]),
      });
  });
});

describe("workflows", () => {
  const greet = {
    name: "greet",
    parameters: [{ name: "who", required: true }, { name: "times", default: "1" }, { name: "loud" }],
    instances: { box: {} },
    steps: [
      { name: "say", run: 'echo "hello $who $times $loud"' },
      { name: "check", dependsOn: ["say"], run: 'test "$who" != nobody' },
    ],
  };

  const finished = (id: string) =>
    until(
      `execution ${id} is over`,
      async () => {
        const { body } = await server.get<RunView>(`/api/workflows/executions/${id}`);
        return !["pending", "running"].includes(body.status) && body;
      },
      60_000,
    );

  test("POST takes a flat body or a manifest; GET shows both, and the built-in ones", async () => {
    const flat = await server.send("POST", "/api/workflows", greet);
    expect(flat).toMatchObject({ status: 201, body: { name: "greet", builtIn: false } });
    const manifest = {
      apiVersion: "fly.lightfast.ai/v1",
      kind: "Workflow",
      metadata: { name: "noop" },
      spec: { instances: { box: {} }, steps: [{ name: "nothing", run: "true" }] },
    };
    expect(await server.send("POST", "/api/workflows", manifest)).toMatchObject({ status: 201 });
    const { body } = await server.get<{ items: { name: string; id: string; builtIn: boolean }[] }>("/api/workflows");
    const names = body.items.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["dev-environment", "git-clone-and-push", "greet", "noop"]));
    const one = body.items.find(({ name }) => name === "greet");
    expect((await server.get(`/api/workflows/${one?.id}`)).body).toEqual(
      (await server.get("/api/workflows/greet")).body,
    );
    expect((await server.get("/api/workflows/git-clone-and-push")).body).toMatchObject({ builtIn: true });
    expect(await server.send("POST", "/api/workflows", greet)).toMatchObject({
      status: 409,
      body: failure("conflict"),
    });
    expect(await server.send("POST", "/api/workflows", { name: "bad", stepz: [] })).toMatchObject({
      status: 400,
      body: failure("validation_failed", expect.arrayContaining([expect.objectContaining({ field: "stepz" })])),
    });
  });

  test("execute runs it with the context as parameters", async () => {
    const context = { who: "world", times: 3, loud: true };
    const begun = await server.send<RunView>("POST", "/api/workflows/greet/execute", { context });
    expect(begun).toMatchObject({ status: 202, body: { executionId: expect.stringMatching(UUID), status: "pending" } });
    const { executionId } = begun.body;
    expect(await finished(executionId)).toMatchObject({
      executionId,
      workflowId: expect.stringMatching(UUID),
      status: "succeeded",
      steps: ["say", "check"].map((name) => ({
        name,
        status: "succeeded",
        attempts: 1,
        exitCode: 0,
        startedAt: expect.stringMatching(TIME),
        finishedAt: expect.stringMatching(TIME),
      })),
    });
    const log = await server.get<string>(`/api/workflows/executions/${executionId}/logs`);
    expect(log.body).toContain("hello world 3 true");
    const list = await server.get<{ items: RunView[] }>("/api/workflows/greet/executions");
    expect(list.body.items.map((each) => each.executionId)).toEqual([executionId]);
  });

  test("a step that fails makes it failed, and what waited for it is skipped", async () => {
    const two = {
      ...greet,
      name: "fails",
      steps: [
        { name: "bad", run: "exit 4" },
        { name: "after", dependsOn: ["bad"], run: "true" },
      ],
    };
    await server.send("POST", "/api/workflows", two);
    const begun = await server.send<RunView>("POST", "/api/workflows/fails/execute", { context: { who: "x" } });
    expect(await finished(begun.body.executionId)).toMatchObject({
      status: "failed",
      steps: [
        { name: "bad", status: "failed", exitCode: 4 },
        { name: "after", status: "skipped", exitCode: null },
      ],
    });
  });

  test("execute refuses missing and unknown keys by name", async () => {
    for (const [context, field] of [
      [{}, "context.who"],
      [{ who: "x", whom: "y" }, "context.whom"],
    ] as const)
      expect(await server.send("POST", "/api/workflows/greet/execute", { context })).toMatchObject({
        status: 400,
        body: failure("validation_failed", [expect.objectContaining({ field })]),
      });
  });

  test("cancel ends it, and is refused when there is nothing to cancel", async () => {
    await server.send("POST", "/api/workflows", {
      ...greet,
      name: "endless",
      steps: [{ name: "wait", run: "sleep 600" }],
    });
    const { body } = await server.send<RunView>("POST", "/api/workflows/endless/execute", { context: { who: "x" } });
    const path = `/api/workflows/executions/${body.executionId}`;
    await until("the step runs", async () => (await server.get<RunView>(path)).body.steps[0]?.status === "running");
    expect(await server.send("POST", `${path}/cancel`)).toMatchObject({
      status: 202,
      body: { executionId: body.executionId },
    });
    expect(await finished(body.executionId)).toMatchObject({
      status: "cancelled",
      steps: [{ name: "wait", status: "cancelled" }],
    });
    expect(await server.send("POST", `${path}/cancel`)).toMatchObject({ status: 409, body: failure("conflict") });
  });
});

describe("with API_KEY", () => {
  test("only health and version need no key", async () => {
    const guarded = await startServer({ API_KEY: "a-key-of-the-tests", CONTROLLERS: "none" });
    try {
      const bare = async (path: string) => (await fetch(`${guarded.url}${path}`)).status;
      for (const path of ["/health", "/healthz", "/livez", "/readyz", "/version"])
        expect([path, await bare(path)]).toEqual([path, 200]);
      for (const path of [
        "/api/instances",
        "/api/workflows",
        "/metrics",
        "/apis",
        "/apis/fly.lightfast.ai/v1/instances",
      ])
        expect([path, await bare(path)]).toEqual([path, 401]);
      const refused = await fetch(`${guarded.url}/api/instances`, { headers: { authorization: "Bearer wrong" } });
      expect({ status: refused.status, body: await refused.json() }).toEqual({
        status: 401,
        body: failure("unauthorized"),
      });
      expect(await guarded.get("/api/instances")).toMatchObject({ status: 200, body: { items: [] } });
      expect((await guarded.get("/health")).body).toMatchObject({ status: "ok" });
      expect((await guarded.get<string>("/metrics")).body).toContain("# TYPE");
    } finally {
      await guarded.close();
    }
  });
});
