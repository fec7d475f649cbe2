// Waits until everything has come to rest, and sees that it stays so.
import type { JsonObject } from "../../../controller/kernel/json.ts";
import type { TestEmulator } from "../emulator.ts";
import type { TestServer } from "../server.ts";
import { NAMESPACED } from "./door.ts";
import { machinesMade } from "./machines-made.ts";
import { type AtRest, unrest } from "./rest.ts";
import type { Watcher } from "./watcher.ts";

const LOOK_MS = 500;
const AT_REST_MS = 2500;

interface World {
  readonly server: TestServer;
  readonly emulator: TestEmulator;
  readonly watchers: readonly Watcher[];
  readonly problems: string[];
}

/** Looks until everything is at rest; what is not when the time is over goes to `problems`. */
export async function comeToRest(world: World, withinMs: number, signal: AbortSignal): Promise<AtRest> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    signal.throwIfAborted();
    const seen = await look(world);
    const waitsFor = unrest(seen);
    if (waitsFor.length === 0) return seen;
    if (performance.now() > deadline) {
      world.problems.push(...waitsFor.map((what) => `not at rest after ${withinMs} ms: ${what}`));
      return seen;
    }
    await sleep(LOOK_MS);
  }
}

async function look({ server, emulator }: World): Promise<AtRest> {
  const list = async (plural: string) => {
    const { body } = await server.get<{ readonly items: readonly JsonObject[] }>(`${NAMESPACED}/${plural}`);
    return body.items;
  };
  const [instances, runs, executions] = await Promise.all(["instances", "workflowruns", "executions"].map(list));
  const machines = machinesMade(emulator.stateDir);
  return { instances, runs, executions, machines } as unknown as AtRest; // as the server serves these kinds
}

/** Nothing is written when nothing changes. */
export async function staysAtRest({ server, watchers }: World): Promise<readonly string[]> {
  const revision = async () => {
    const { body } = await server.get<{ metadata: { resourceVersion: string } }>(`${NAMESPACED}/instances`);
    return Number(body.metadata.resourceVersion);
  };
  const before = await revision();
  await sleep(AT_REST_MS);
  const after = await revision();
  const written = watchers.flatMap(({ last }) =>
    [...last.values()].filter(({ metadata }) => Number(metadata.resourceVersion) > before),
  );
  return before === after ? [] : [`at rest, and revisions went from ${before} to ${after}: ${JSON.stringify(written)}`];
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
