// Many instances at once: how much longer they take to be Ready than Fly's limit on creates makes them, with real guests
// that answer over SSH.
import { rounded } from "./figures.ts";
import type { Bench, Figure } from "./measure.ts";
import type { FlyProcedures } from "./programs/fly.ts";
import { applyInstances, startServer, untilReady } from "./world.ts";

/** Fly takes three creates of an app at once, and then one a second. */
const CREATE_BURST = 3;
const CREATES_PER_SECOND = 1;
const RATIO_MAX = 1.1;
/** For a few instances the bound is nothing, and what a machine takes to start is all. */
const PATIENCE_MS = 60_000;

export async function ready({ processes, folder, options, scope, say }: Bench): Promise<Figure> {
  const count = options.instances;
  const fly = processes.start<FlyProcedures>("fly", ["local", `${folder}/fly`], scope);
  const server = await startServer({ processes, scope }, fly, folder, "bench-ready");
  const boundSeconds = Math.max(0, (count - CREATE_BURST) / CREATES_PER_SECOND);
  say(`${count} instances; Fly's limit alone takes ${boundSeconds} s`);
  const beganMs = performance.now();
  await applyInstances(server, count);
  const appliedMs = performance.now() - beganMs;
  await untilReady(server, count, boundSeconds * 1000 * RATIO_MAX + PATIENCE_MS);
  const seconds = (performance.now() - beganMs) / 1000;
  return {
    value: rounded(seconds),
    target: rounded(boundSeconds * RATIO_MAX),
    ok: seconds <= boundSeconds * RATIO_MAX,
    detail: {
      unit: "seconds from the first POST until all are Ready",
      instances: count,
      boundSeconds,
      ratio: boundSeconds > 0 ? rounded(seconds / boundSeconds, 3) : null,
      applySeconds: rounded(appliedMs / 1000, 3),
      calls: await fly.call("counts"),
    },
  };
}
