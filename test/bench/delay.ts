// How long an applied Instance takes to become a create call at Fly, beyond what Fly's limit makes it wait: from the moment
// the client sends it to the moment the call arrives. Fly takes one create a second in an app, and our budget holds that
// too; so several servers, each with an app of its own and all as they are shipped, share the samples at less than that.
import { setTimeout as sleep } from "node:timers/promises";
import { Pool } from "undici";
import { watchingDisk } from "./disk.ts";
import { percentile, rounded } from "./figures.ts";
import { nameOf, smallInstance } from "./manifest.ts";
import type { Bench, Figure } from "./measure.ts";
import type { FlyProcedures } from "./programs/fly.ts";
import { post, startServer } from "./world.ts";

const P50_MAX_MS = 20;
const P99_MAX_MS = 60;
/** Durable before the call: they are most of the delay, and as slow as the disk. */
const COMMITS = 3;
/** Between creates in one app: below Fly's one a second, and below our own budget's 1.02 s. */
const PACE_MS = 1100;

export async function delay({ processes, folder, options, scope, say }: Bench): Promise<Figure> {
  const fly = processes.start<FlyProcedures>("fly", ["memory"], scope);
  const each = Math.ceil(options.samples / options.servers);
  const apps = Array.from({ length: options.servers }, (_, index) => `bench-${index}`);
  const urls: string[] = [];
  for (const app of apps) urls.push(await startServer({ processes, scope }, fly, `${folder}/${app}`, app));
  say(`${each} creates on each of ${apps.length} servers, one every ${PACE_MS} ms`);
  const { result: sent, diskMs } = await watchingDisk(folder, () =>
    Promise.all(
      urls.map(async (url, index) => {
        await sleep((index * PACE_MS) / apps.length);
        return applyPaced(url, each);
      }),
    ),
  );
  await sleep(PACE_MS);
  const arrived = await fly.call("creates");
  const delaysMs = apps.flatMap((app, index) =>
    pairs(
      app,
      sent[index] ?? [],
      arrived.filter((call) => call.app === app).map((call) => call.atMs),
    ),
  );
  return figureOf(delaysMs, diskMs, apps.length);
}

/** Applies one after the other; answers when each was sent. */
async function applyPaced(url: string, count: number): Promise<number[]> {
  const pool = new Pool(url, { connections: 1 });
  const sent: number[] = [];
  try {
    for (let index = 0; index < count; index += 1) {
      const body = JSON.stringify(smallInstance(nameOf("d-", index)));
      sent.push(Number(process.hrtime.bigint()) / 1e6);
      await post(pool, body);
      await sleep(PACE_MS);
    }
  } finally {
    await pool.destroy();
  }
  return sent;
}

/** The n-th call of an app is the n-th apply's: they are a second apart, and none may be missing or sent again. */
function pairs(app: string, sent: readonly number[], arrived: readonly number[]): number[] {
  if (arrived.length !== sent.length) {
    throw new Error(`${app}: ${sent.length} instances were applied and ${arrived.length} create calls arrived`);
  }
  return arrived.map((atMs, index) => atMs - (sent[index] ?? Number.NaN));
}

function figureOf(delaysMs: readonly number[], diskMs: readonly number[], servers: number): Figure {
  const p50 = rounded(percentile(delaysMs, 0.5));
  const p99 = rounded(percentile(delaysMs, 0.99));
  return {
    value: { p50Ms: p50, p99Ms: p99 },
    target: { p50Ms: P50_MAX_MS, p99Ms: P99_MAX_MS },
    ok: p50 < P50_MAX_MS && p99 < P99_MAX_MS,
    detail: {
      unit: "ms from sending the POST of an Instance to the arrival of its create call at the emulator",
      samples: delaysMs.length,
      slowestMs: [...delaysMs]
        .sort((a, b) => b - a)
        .slice(0, 8)
        .map((each) => rounded(each)),
      durableWrites: `${COMMITS}, one after the other: the instance, our finalizer, the intent to create`,
      diskMs: { p50: rounded(percentile(diskMs, 0.5)), p99: rounded(percentile(diskMs, 0.99)) },
      pacing: `${servers} servers with an app each, one create every ${PACE_MS} ms in each: no limit was raised`,
      guests: "in memory: only the arrival of the call counts",
    },
  };
}
