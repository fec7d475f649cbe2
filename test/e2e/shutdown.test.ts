// SIGTERM ends a server that is in full use, in time and in order: who waits for it is answered or cut off, nothing hangs,
// and machines are not taken for a part of the process.
import { afterEach, expect, test } from "vitest";
import { until } from "./program.ts";
import { machineIds, startServer, type TestServer } from "./server.ts";

/** Less than Fly's kill_timeout in fly.toml, after which it kills. */
const IN_TIME_MS = 10_000;

let server: TestServer | undefined;
afterEach(() => server?.close());

interface InstanceView {
  readonly status: string;
  readonly machineId: string;
}

test("SIGTERM ends it with 0 in under ten seconds while a watch, a following log and an exec are open", async () => {
  server = await startServer();
  const { send, get, cli, apply, dataDir } = server;
  const workflow = { instances: { box: { ref: "box" } }, steps: [{ name: "long", run: "echo begun; sleep 600" }] };
  await apply(
    { apiVersion: "fly.lightfast.ai/v1", kind: "Instance", metadata: { name: "box" }, spec: {} },
    { apiVersion: "fly.lightfast.ai/v1", kind: "Workflow", metadata: { name: "endless" }, spec: workflow },
  );
  expect((await cli("wait", "instance/box", "--for=condition=Ready", "--timeout=60s")).code).toBe(0);
  const { machineId } = (await get<InstanceView>("/api/instances/box")).body;
  const run = (await send<{ executionId: string }>("POST", "/api/workflows/endless/execute", {})).body.executionId;

  const watch = await stream(`${server.url}/apis/fly.lightfast.ai/v1/instances?watch=true`);
  const log = await stream(`${server.url}/api/workflows/executions/${run}/logs?follow=true`);
  const exec = send<{ executionId: string; status: string }>("POST", "/api/instances/box/exec", {
    command: "sleep 600",
    timeout: 500_000,
  }).then(
    (answer) => answer.status,
    (error: unknown) => error,
  );
  await until("all three are in use", () => watch.text().includes('"ADDED"') && log.text().includes("begun"));

  const begin = performance.now();
  const { code, signal, err } = await server.kill("SIGTERM");
  const farewell = expect.stringMatching(/flywheel: 1 machine goes on running; the next start finds it again\n$/);
  expect({ code, signal, err }).toEqual({ code: 0, signal: null, err: farewell });
  expect(performance.now() - begin).toBeLessThan(IN_TIME_MS);
  await Promise.all([watch.ended, log.ended]);
  expect(await exec).toBe(200); // answered with what is known: it runs

  expect(machineIds(`${dataDir}/emulator`)).toEqual([machineId]);
  await server.restart();
  expect((await server.cli("wait", "instance/box", "--for=condition=Ready", "--timeout=60s")).code).toBe(0);
  expect((await server.get<InstanceView>("/api/instances/box")).body).toMatchObject({ machineId, status: "running" });
  const again = await server.get<{ status: string }>(`/api/workflows/executions/${run}`);
  expect(again.body).toMatchObject({ status: "running", steps: [{ attempts: 1 }] });
});

test("Ctrl-C, which npm hands on a second time, is one request to end in order", async () => {
  server = await startServer();
  await server.send("POST", "/api/instances?wait=true", {});
  server.process.child.kill("SIGINT");
  server.process.child.kill("SIGTERM"); // not SIGINT: the system would make one of two that come so fast
  const { code, signal, err } = await server.process.ended;
  expect({ code, signal, err }).toEqual({ code: 0, signal: null, err: expect.stringContaining("1 machine goes on") });
});

/** An answer that does not end, and what has come of it. */
async function stream(url: string): Promise<{ readonly text: () => string; readonly ended: Promise<unknown> }> {
  const answer = await fetch(url);
  if (!answer.ok || !answer.body) throw new Error(`${url}: ${answer.status}`);
  let text = "";
  const decoder = new TextDecoder();
  const reader = answer.body.getReader();
  const read = async () => {
    for (let next = await reader.read(); !next.done; next = await reader.read()) text += decoder.decode(next.value);
  };
  return { text: () => text, ended: read().catch((error: unknown) => error) };
}
