// Ready instances that nobody touches: what they cost Fly's limits and our disk. Nothing but the list of each interval.
import { setTimeout as sleep } from "node:timers/promises";
import type { Bench, Figure } from "./measure.ts";
import type { Program } from "./processes.ts";
import type { FlyProcedures } from "./programs/fly.ts";
import { applyInstances, listInstances, startServer, untilReady } from "./world.ts";

const PATIENCE_MS = 60_000;
/** After the last one is Ready: calls that were under way come to their end. */
const SETTLE_MS = 5000;

interface Standing {
  readonly revision: number;
  readonly calls: Readonly<Record<string, number>>;
}

export async function idle({ processes, folder, options, scope, say }: Bench): Promise<Figure> {
  const count = options.idleInstances;
  const fly = processes.start<FlyProcedures>("fly", ["local", `${folder}/fly`], scope);
  const server = await startServer({ processes, scope }, fly, folder, "bench-idle");
  say(`waiting for ${count} instances`);
  await applyInstances(server, count);
  await untilReady(server, count, count * 1100 + PATIENCE_MS);
  await sleep(SETTLE_MS);
  say(`leaving them alone for ${options.idleSeconds} s`);
  const before = await standing(server, fly);
  await sleep(options.idleSeconds * 1000);
  return figureOf(before, await standing(server, fly), count, options.idleSeconds);
}

async function standing(server: string, fly: Program<FlyProcedures>): Promise<Standing> {
  const { metadata } = await listInstances(server, 1);
  return { revision: Number(metadata.resourceVersion), calls: await fly.call("counts") };
}

function figureOf(before: Standing, after: Standing, instances: number, seconds: number): Figure {
  const calls = Object.fromEntries(
    Object.entries(after.calls)
      .map(([action, total]) => [action, total - (before.calls[action] ?? 0)] as const)
      .filter(([, made]) => made > 0),
  );
  const writes = after.revision - before.revision;
  const { list = 0, ...others } = calls;
  return {
    value: { calls, writes },
    target: { calls: "list only", writes: 0 },
    ok: list > 0 && Object.keys(others).length === 0 && writes === 0,
    detail: { unit: "calls at the emulator by action, and revisions of the store", instances, seconds },
  };
}
