// Machines that nobody needs: put to rest when unused, never while they are used, and gone when their time is over.
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "./program.ts";
import { startServer, type TestServer } from "./server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

interface Instance {
  readonly spec: { readonly operatingMode: string };
  readonly status?: {
    readonly machine?: { readonly id: string; readonly state: string };
    readonly effectiveMode?: string;
    readonly expiresAt?: string;
    readonly idle?: { readonly actsAt?: string; readonly actedAt?: string; readonly blockers?: readonly string[] };
  };
}

const apply = (name: string, spec: object) =>
  server.apply({ apiVersion: "fly.lightfast.ai/v1", kind: "Instance", metadata: { name }, spec });
const object = async (name: string) =>
  (await server.get<Instance>(`/apis/fly.lightfast.ai/v1/namespaces/default/instances/${name}`)).body;
const stateOf = async (name: string) => (await object(name)).status?.machine?.state;

/** The shortest that is allowed. */
const AFTER_MS = 10_000;

test.concurrent("an instance with idle is not suspended while a command runs, is when nothing does, and wakes for nobody but its user", async () => {
  await apply("sleepy", { idle: { after: "10s", action: "Suspend" } });
  await server.cli("wait", "instance/sleepy", "--for=condition=Ready", "--timeout=60s");
  expect((await object("sleepy")).status?.idle?.actsAt).toBeDefined();

  const exec = server.send<{ stdout: string }>("POST", "/api/instances/sleepy/exec", {
    command: "sleep 15; echo done",
  });
  const states = new Set<string | undefined>();
  let running = true;
  const watching = (async () => {
    while (running) {
      const { status } = await object("sleepy");
      states.add(status?.machine?.state);
      if (status?.idle?.actsAt === undefined) expect(status?.idle?.blockers?.join()).toMatch(/^exec /);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  })();
  expect((await exec).body).toMatchObject({ status: "succeeded", stdout: "done\n" });
  const end = performance.now();
  running = false;
  await watching;
  expect([...states]).toEqual(["started"]);

  await until("it is suspended", async () => (await stateOf("sleepy")) === "suspended");
  expect(performance.now() - end).toBeGreaterThan(AFTER_MS - 2000); // times in status are in whole seconds
  const resting = await object("sleepy");
  expect(resting.spec.operatingMode).toBe("Running"); // the wish stays the user's
  expect(resting.status).toMatchObject({ effectiveMode: "Suspended", idle: { actedAt: expect.any(String) } });
  expect((await server.get("/api/instances/sleepy")).body).toMatchObject({ status: "suspended" });
  const refused = await server.send("POST", "/api/instances/sleepy/exec", { command: "true" });
  expect(refused.status).toBe(409);
});

test.concurrent("an instance with ttl is deleted with its machine when the time is over", async () => {
  await apply("mayfly", { ttl: "10s" });
  await server.cli("wait", "instance/mayfly", "--for=condition=Ready", "--timeout=60s");
  const { status } = await object("mayfly");
  expect(Date.parse(status?.expiresAt ?? "") - Date.now()).toBeLessThan(10_000);
  await until("it is gone", async () => (await server.get("/api/instances/mayfly")).status === 404);
  const machine = await server.fly("GET", `/v1/apps/lightfast-worker-instances/machines/${status?.machine?.id}`);
  expect(machine.body).toMatchObject({ state: "destroyed" });
});
