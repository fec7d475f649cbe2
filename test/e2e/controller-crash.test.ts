// A controller that dies without a word: what it had begun goes on without it, and the next one finds it again.
import { existsSync, readdirSync, readFileSync, watch } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { machineDirectory } from "../../controller/emulator/guests/directory.ts";
import { startEmulator, type TestEmulator } from "./emulator.ts";
import { until } from "./program.ts";
import { startServer } from "./server.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (let each = open.pop(); each; each = open.pop()) await each.close();
});
function opened<T extends { close(): Promise<void> }>(each: T): T {
  open.push(each);
  return each;
}

interface RunView {
  readonly status: string;
  readonly steps: readonly { readonly name: string; readonly status: string; readonly attempts: number }[];
}

interface InstanceView {
  readonly id: string;
  readonly status: string;
  readonly machineId: string | null;
}

const API = "fly.lightfast.ai/v1";
const LINES = 80;
const NUMBERS = Array.from({ length: LINES }, (_, index) => index + 1);
const SCRIPT = `for i in $(seq ${LINES}); do echo $i >>"$HOME/lines"; echo $i; sleep 0.1; done`;

describe("a controller killed with -9", () => {
  test("in the middle of a step: the same job is found again on the same machine, and nothing is done twice", async () => {
    const server = opened(await startServer());
    const retry = { limit: 3, on: ["Failed", "Timeout", "Lost"] }; // a second attempt would show in the lines
    await server.apply(
      { apiVersion: API, kind: "Instance", metadata: { name: "box" }, spec: {} },
      {
        apiVersion: API,
        kind: "Workflow",
        metadata: { name: "count" },
        spec: { instances: { box: { ref: "box" } }, steps: [{ name: "lines", run: SCRIPT, retry }] },
      },
    );
    expect((await server.cli("wait", "instance/box", "--for=condition=Ready", "--timeout=60s")).code).toBe(0);
    const machineId = (await server.get<InstanceView>("/api/instances/box")).body.machineId ?? "";
    const lines = () => linesOf(join(machineDirectory(join(server.dataDir, "emulator"), machineId).root, "root/lines"));
    const begun = await server.send<{ executionId: string; name: string }>("POST", "/api/workflows/count/execute", {});

    await until("the step is in its middle", () => lines().length > 10);
    await server.kill("SIGKILL");
    const atDeath = lines().length;
    await server.restart();
    await until("the step goes on", () => lines().length > atDeath);
    expect(atDeath).toBeLessThan(LINES); // else it was killed too late to show anything

    const ended = await until("the run is over", async () => {
      const { body } = await server.get<RunView>(`/api/workflows/executions/${begun.body.executionId}`);
      return body.status !== "running" && body;
    });
    expect(ended).toMatchObject({ status: "succeeded", steps: [{ name: "lines", status: "succeeded", attempts: 1 }] });
    expect(lines()).toEqual(NUMBERS);
    const logs = await server.cli("logs", begun.body.name, "--step", "lines");
    expect(logs.out.trim().split("\n").map(Number)).toEqual(NUMBERS);
    expect((await server.get<InstanceView>("/api/instances/box")).body.machineId).toBe(machineId);
  });

  test("in a burst of creates: there is one machine for each instance afterwards, and there never were more", async () => {
    const names = Array.from({ length: 9 }, (_, index) => `box-${index}`);
    const emulator = opened(await startEmulator());
    const server = opened(await startServer(emulator.environment));
    const manifests = names.map((name) => ({ apiVersion: API, kind: "Instance", metadata: { name }, spec: {} }));
    expect(await server.apply(...manifests)).toMatchObject({ code: 0 });

    // At the worst moment: Fly has the machine, and the answer is on its way. Then again while that is being sorted out.
    await machinesOnDisk(emulator, 2);
    await server.kill("SIGKILL");
    await server.restart();
    await server.kill("SIGKILL");
    await server.restart();

    expect(await server.cli("wait", "instances", "--all", "--for=condition=Ready", "--timeout=90s")).toMatchObject({
      code: 0,
    });
    const made = await emulator.machines("?include_deleted=true");
    expect(made.map((machine) => machine.config.metadata["flywheel-name"]).sort()).toEqual(names);
    expect(made.map(({ state }) => state)).toEqual(names.map(() => "started"));
    const known = await server.get<{ items: readonly InstanceView[] }>("/api/instances");
    expect(known.body.items.map(({ machineId }) => machineId).sort()).toEqual(made.map(({ id }) => id).sort());
  });
});

/** What the step has written on its machine, read without asking anybody. */
function linesOf(file: string): readonly number[] {
  return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n").map(Number) : [];
}

/** Resolves as soon as the emulator has written down so many machines, which it does before it answers. */
function machinesOnDisk(emulator: TestEmulator, count: number): Promise<void> {
  const folder = join(emulator.stateDir, "machines");
  return new Promise((resolve, reject) => {
    const watcher = watch(folder, look);
    const late = setTimeout(() => end(() => reject(new Error(`never were ${count} machines`))), 60_000);
    function look(): void {
      if (readdirSync(folder).filter((file) => file.endsWith(".json")).length >= count) end(resolve);
    }
    function end(settle: () => void): void {
      clearTimeout(late);
      watcher.close();
      settle();
    }
    look();
  });
}
