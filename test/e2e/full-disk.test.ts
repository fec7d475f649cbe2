// A disk without room: what cannot be written is refused with the reason, all that was acknowledged can be read, and when
// there is room again the controllers go on where they were, also after a death, an end in order, and starts in between.
import { afterEach, describe, expect, test } from "vitest";
import { startEmulator, type TestEmulator } from "./emulator.ts";
import { machinesMade } from "./kill-loop/machines-made.ts";
import { type Marks, openMarks } from "./kill-loop/marks.ts";
import { until } from "./program.ts";
import { startServer, type TestServer } from "./server.ts";
import { limitedFiles, limitProblem, mountProblem, type SmallDisk, smallFileSystem } from "./small-disk.ts";

const DISKS = [
  { name: "a file system", makeDisk: smallFileSystem, problem: mountProblem() },
  { name: "files", makeDisk: limitedFiles, problem: limitProblem() },
];
for (const { name, problem } of DISKS) if (problem) console.log(`skipped: ${name} without room: ${problem}`);

const API = "/apis/fly.lightfast.ai/v1/namespaces/default";
/** About as large as a step may be. */
const LARGE = 250_000;
const SMALL = 10;

let opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.reverse()) await close();
  opened = [];
});

describe.each(DISKS)("$name without room", ({ makeDisk, problem }) => {
  test.skipIf(problem)(
    "writes are refused with the reason, nothing acknowledged is lost, and work goes on when there is room",
    async () => {
      const world = await open(makeDisk());
      const { server, disk, emulator, marks } = world;
      const acknowledged = await fillUp(world);
      expect(acknowledged.length).toBeGreaterThan(5);
      await expectFull(world, acknowledged);

      // The step that was under way ends meanwhile, and nobody can write that down.
      await until("the step ends", () => [...marks.counts.keys()].some((line) => line.endsWith("ended")));
      await server.kill("SIGKILL");
      await server.restart();
      await expectFull(world, acknowledged);
      expect((await server.get<{ status: string }>("/api/workflows/executions/long")).body.status).toBe("running");

      expect(await server.kill("SIGTERM")).toMatchObject({ code: 0 });
      await server.restart();
      await expectThere(server, acknowledged);

      disk.free(server.process.child.pid ?? 0);
      const run = await until("the run is over", async () => {
        const { body } = await server.get<{ status: string }>("/api/workflows/executions/long");
        return body.status !== "running" && body;
      });
      expect(run).toMatchObject({ status: "succeeded", steps: [{ attempts: 1 }] });
      expect([...marks.counts.values()]).toEqual([1, 1]);
      expect((await server.cli("wait", "instances", "--all", "--for=condition=Ready", "--timeout=60s")).code).toBe(0);
      expect(machinesMade(emulator.stateDir).map(({ phase }) => phase)).toEqual(["started", "started"]);
      expect((await server.get("/readyz")).status).toBe(200);
      expect(await create(server, "after")).toMatchObject({ status: 201 });
      await expectThere(server, acknowledged);
    },
  );
});

interface World {
  readonly disk: SmallDisk;
  readonly emulator: TestEmulator;
  readonly server: TestServer;
  readonly marks: Marks;
}

/** A server on a disk with room, and a step that runs. */
async function open(disk: SmallDisk): Promise<World> {
  opened.push(() => disk.remove());
  const emulator = await startEmulator();
  opened.push(() => emulator.close());
  const marks = await openMarks();
  opened.push(() => marks.close());
  const server = await startServer({ ...emulator.environment, DATA_DIR: disk.path }, () => disk.wrap());
  opened.push(() => server.close());
  const run = `${marks.send("begun")}; sleep 6; ${marks.send("ended")}`;
  await server.apply(
    { apiVersion: "fly.lightfast.ai/v1", kind: "Instance", metadata: { name: "box" }, spec: {} },
    {
      apiVersion: "fly.lightfast.ai/v1",
      kind: "Workflow",
      metadata: { name: "long" },
      spec: { instances: { box: { ref: "box" } }, steps: [{ name: "only", run, retry: { limit: 3, on: ["Lost"] } }] },
    },
    {
      apiVersion: "fly.lightfast.ai/v1",
      kind: "WorkflowRun",
      metadata: { name: "long" },
      spec: { workflowRef: { name: "long" } },
    },
  );
  await until("the step has begun", () => marks.counts.has("begun"));
  return { disk, emulator, server, marks };
}

/** Another instance is under way when the room ends; answers the names that were acknowledged. */
async function fillUp({ server, disk }: World): Promise<readonly string[]> {
  disk.fill(server.process.child.pid ?? 0);
  expect((await server.send("POST", "/api/instances", { name: "late" })).status).toBe(201);
  const acknowledged: string[] = [];
  for (const bytes of [LARGE, SMALL]) {
    for (let refused = 0; refused < 3; ) {
      const name = `filler-${acknowledged.length}`;
      const { status } = await create(server, name, bytes);
      if (status === 201) acknowledged.push(name);
      else refused += 1;
    }
  }
  // What looks whether there is room again writes a little itself.
  await until("nothing fits any more", async () => (await server.get("/readyz")).status === 503);
  return acknowledged;
}

async function expectFull({ server, disk }: World, acknowledged: readonly string[]): Promise<void> {
  const refusal = { status: 503, message: expect.stringMatching(disk.cause) };
  expect(await create(server, "refused")).toEqual(refusal);
  const ready = await server.get<string>("/readyz");
  expect({ status: ready.status, body: ready.body }).toEqual({ status: 503, body: expect.stringMatching(disk.cause) });
  expect((await server.get("/livez")).status).toBe(200);
  await expectThere(server, acknowledged);
  expect((await server.get(`${API}/workflows/refused`)).status).toBe(404);
}

async function expectThere(server: TestServer, names: readonly string[]): Promise<void> {
  for (const name of names) expect((await server.get(`${API}/workflows/${name}`)).status, name).toBe(200);
}

async function create(server: TestServer, name: string, bytes = LARGE) {
  const spec = { instances: { box: {} }, steps: [{ name: "only", run: `: ${"x".repeat(bytes)}` }] };
  const manifest = { apiVersion: "fly.lightfast.ai/v1", kind: "Workflow", metadata: { name }, spec };
  const { status, body } = await server.send<{ message?: string }>("POST", `${API}/workflows`, manifest);
  return { status, message: body.message ?? "" };
}
