// How the walk moves a simulated world: one request to its end, until all is settled, killed when told, and at rest.
import { unsettled } from "./invariants.ts";
import { RESYNC_MS } from "./process.ts";
import type { Operation } from "./workload.ts";
import type { Script, World } from "./world.ts";

const OBSERVE_MS = 10_000;
const OUTAGE_MS = 3000;
const STEP_MS = 10_000;
/** Without a write for so long: longer than the shortest times that a spec can name, and the first backoffs. */
const QUIET_MS = 40_000;
const PATIENCE_MS = 60 * 60_000;

/** A world in which nothing goes wrong but a death of the process, when it is told to die. */
export function script(): Script & { kill(): void } {
  let dying = false;
  const nothing = () => undefined;
  return {
    observeIntervalMs: OBSERVE_MS,
    outageMs: OUTAGE_MS,
    knobs: {},
    dies() {
      if (!dying) return false;
      dying = false;
      return true;
    },
    committed: nothing,
    machineChanged: nothing,
    began: nothing,
    exited: nothing,
    kill() {
      dying = true;
    },
  };
}

/** The status of the answer. */
export async function tell(world: World, operation: Operation): Promise<number | undefined> {
  let answer: { readonly status: number | undefined } | undefined;
  const answered = world.operate(operation).then((status) => {
    answer = { status };
  });
  while (!answer) await world.clock.settle();
  await answered;
  return answer.status;
}

/** Until everything is as it should be and nothing is written any more; throws when it does not come to that. */
export async function settled(world: World): Promise<void> {
  const broken = (why: readonly string[]) => new Error(`the walk has broken: ${why.slice(0, 5).join("; ")}`);
  const untilMs = world.clock.monotonic() + PATIENCE_MS;
  for (let quietMs = 0; quietMs < QUIET_MS; ) {
    const before = world.revision();
    await world.clock.advance(STEP_MS);
    world.invariants.tick();
    if (world.violations.length > 0) throw broken(world.violations);
    const left = unsettled(world.invariants.objects.values(), world.machines()).filter(
      (why) => !/expires at|becomes idle at/.test(why), // a time that a spec names may be years away
    );
    quietMs = world.revision() === before && left.length === 0 && world.alive ? quietMs + STEP_MS : 0;
    if (world.clock.monotonic() > untilMs) throw broken(["L1 it does not come to rest", ...left]);
  }
}

/** Nothing is left to do, so nothing is done. */
export async function restless(world: World): Promise<readonly string[]> {
  const [revision, mutations] = [world.revision(), world.invariants.mutations];
  await world.clock.advance(3 * RESYNC_MS);
  return [
    ...(world.revision() === revision ? [] : [`L1 ${world.revision() - revision} writes at rest`]),
    ...(world.invariants.mutations === mutations ? [] : ["L1 Fly was asked for changes at rest"]),
  ];
}
