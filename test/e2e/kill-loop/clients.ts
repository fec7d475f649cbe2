// The load: clients that make, edit, suspend and delete instances, write definitions as fast as they are answered, start
// runs, and run commands, each waiting for nobody but its own last answer. A seed decides what they do.
import type { JsonObject } from "../../../controller/kernel/json.ts";
import type { Random } from "../../../controller/kernel/random.ts";
import type { Door } from "./door.ts";
import type { Marks } from "./marks.ts";

interface Client {
  readonly door: Door;
  readonly marks: Marks;
  readonly random: Random;
}

export interface LoadOptions {
  readonly door: Door;
  readonly marks: Marks;
  /** Each client has its own, so that none changes what another one does. */
  randomOf(client: number): Random;
}

/** Machines that stay, for steps and commands to run on. */
export const STAYING = ["stays-0", "stays-1"];
const CHURNED = ["box-0", "box-1", "box-2", "box-3"];
const EDITED = ["flow-0", "flow-1", "flow-2"];

/** So long that servers which live for seconds do not come too late for it: a command that times out is a problem. */
const COMMAND_TIMEOUT_MS = 600_000;

/** Attempts that each step of a run needs: the second step fails once, by intent. */
export const ATTEMPTS: ReadonlyMap<string, number> = new Map([
  ["first", 1],
  ["second", 2],
  ["third", 1],
]);

/** Resolves when the door is closing and every client has had its last answer. */
export async function load({ door, marks, randomOf }: LoadOptions): Promise<void> {
  const clients: ((client: Client) => Promise<void>)[] = [
    ...STAYING.map((name) => (client: Client) => stay(client, name)),
    ...CHURNED.map((name) => (client: Client) => churn(client, name)),
    ...EDITED.map((name) => (client: Client) => editQuickly(client, name)),
    ...STAYING.map((name) => (client: Client) => startRuns(client, name)),
    ...STAYING.map((name) => (client: Client) => runCommands(client, name)),
  ];
  await Promise.all(clients.map((act, index) => act({ door, marks, random: randomOf(index) })));
}

/** Only what leaves the machine alone is changed. */
async function stay({ door, random }: Client, name: string): Promise<void> {
  await makeSure(door, "instances", { kind: "Instance", name, spec: { size: "shared-cpu-1x", ttl: ttlOf(0) } });
  for (let turn = 1; !door.closing; turn += 1) {
    const known = door.ledger.known("instances", name);
    if (known) await door.edit("instances", name, { ttl: ttlOf(turn) }, { ...known.spec, ttl: ttlOf(turn) });
    await pause(random, 300);
  }
}

async function churn({ door, random }: Client, name: string): Promise<void> {
  for (let turn = 1; !door.closing; turn += 1) {
    await pause(random, 400);
    const found = await door.read("instances", name);
    if (!found) {
      await door.create("instances", { kind: "Instance", name, spec: { ttl: ttlOf(turn) } });
    } else if (random.next() < 0.12) {
      await door.remove("instances", name);
    } else if (!found.metadata.deletionTimestamp) {
      const patch = changeOf(random, turn, found.spec);
      await door.edit("instances", name, patch, { ...found.spec, ...patch });
    }
  }
}

/** Never to what is there already: that would be no write. */
function changeOf(random: Random, turn: number, { operatingMode }: JsonObject): JsonObject {
  const chance = random.next();
  if (chance < 0.1) return { env: { TURN: String(turn) } };
  const others = ["Running", "Suspended", "Stopped"].filter((mode) => mode !== operatingMode);
  if (chance < 0.35) return { operatingMode: others[Math.floor(random.next() * others.length)] };
  return { ttl: ttlOf(turn) };
}

async function editQuickly({ door, random }: Client, name: string): Promise<void> {
  for (let turn = 1; !door.closing; turn += 1) {
    const description = `turn ${turn}`;
    const known = door.ledger.known("workflows", name);
    if (!known) {
      await door.create("workflows", {
        kind: "Workflow",
        name,
        spec: { description, steps: [{ name: "only", run: "true" }], instances: { box: {} } },
      });
    } else if (random.next() < 0.01) {
      await door.remove("workflows", name);
    } else {
      await door.edit("workflows", name, { description }, { ...known.spec, description });
    }
    await pause(random, 10);
  }
}

/** Runs on machines that stay, and every third on one of its own; a few are cancelled or deleted under way. */
async function startRuns({ door, random, marks }: Client, staying: string): Promise<void> {
  const instances = [{ box: { ref: staying } }, { box: {} }];
  for (const [index, instance] of instances.entries()) {
    const spec = { instances: instance, steps: stepsOf(marks) };
    await makeSure(door, "workflows", { kind: "Workflow", name: `work-${staying}-${index}`, spec });
  }
  for (let turn = 1; !door.closing; turn += 1) {
    const workflowRef = { name: `work-${staying}-${random.next() < 0.3 ? 1 : 0}` };
    const name = `run-${staying}-${turn}`;
    const run = await door.create("workflowruns", { kind: "WorkflowRun", name, spec: { workflowRef } });
    await pause(random, 3000);
    const chance = random.next();
    if (run && chance < 0.1) await door.edit("workflowruns", name, { cancel: true }, { ...run.spec, cancel: true });
    if (run && chance > 0.9) await door.remove("workflowruns", name);
  }
}

/** Also when a server dies over it: others build on it. */
async function makeSure(door: Door, plural: string, manifest: Parameters<Door["create"]>[1]): Promise<void> {
  while (!(await door.create(plural, manifest)) && !door.closing);
}

function stepsOf(marks: Marks) {
  const mark = (what: string) => marks.send(`\${FLYWHEEL_RUN} \${FLYWHEEL_STEP} \${FLYWHEEL_ATTEMPT} ${what}`);
  return [...ATTEMPTS].map(([name, attempts], index) => ({
    name,
    run: `${mark("begun")}\nsleep 0.${3 + 3 * index}\n${mark("ended")}\n[ "$FLYWHEEL_ATTEMPT" -ge ${attempts} ]`,
    dependsOn: [...ATTEMPTS.keys()].slice(0, index),
    retry: { limit: 3, backoff: "200ms", on: ["Failed", "Timeout", "Lost"] }, // another attempt would show
  }));
}

/** What is answered as succeeded has run once; what is not answered, at most once. */
async function runCommands({ door, random, marks }: Client, name: string): Promise<void> {
  for (let turn = 1; !door.closing; turn += 1) {
    await pause(random, 600);
    const mark = commandMark(`${name}-${turn}`);
    const body = {
      command: `${marks.send(mark)}; sleep 0.${Math.floor(random.next() * 9)}`,
      timeout: COMMAND_TIMEOUT_MS,
    };
    await door.ask("POST", `/api/instances/${name}/exec`, body);
  }
}

export function commandMark(id: string): string {
  return `command ${id}.`;
}

/** Each value is another one, and none comes to pass. */
function ttlOf(turn: number): string {
  return `${100_000 + turn}s`;
}

function pause(random: Random, maxMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, random.next() * maxMs));
}
