// Servers over an emulated Fly, and instances on them.
import { mkdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { Pool } from "undici";
import type { Instance } from "../../crds/instance.ts";
import { findCondition } from "../../crds/resource.ts";
import { COLLECTION, nameOf, smallInstance } from "./manifest.ts";
import type { Bench } from "./measure.ts";
import type { Program } from "./processes.ts";
import type { FlyProcedures } from "./programs/fly.ts";

const LOOK_MS = 250;
/** A server that has not listed its machines by then never will. */
const START_MAX_MS = 30_000;

/** A server as it is shipped, that takes the emulator for Fly; answers its URL once it would reconcile. */
export async function startServer(
  { processes, scope }: Pick<Bench, "processes" | "scope">,
  fly: Program<FlyProcedures>,
  folder: string,
  app: string,
): Promise<string> {
  const { url, token } = await fly.call("where");
  await mkdir(folder, { recursive: true });
  const variables = {
    FLY_API_TOKEN: token,
    FLY_FLAPS_BASE_URL: url,
    FLY_API_BASE_URL: url,
    FLY_ORG_SLUG: "personal",
    WORKER_APP: app,
  };
  const server = await processes.server(folder, variables, scope);
  await until(START_MAX_MS, `${server} is not ready`, async () => (await fetch(`${server}/readyz`)).ok);
  return server;
}

/** Applies so many at once. */
export async function applyInstances(server: string, count: number): Promise<void> {
  const pool = new Pool(server, { connections: 8 });
  try {
    await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const body = JSON.stringify(smallInstance(nameOf("i-", index)));
        await post(pool, body);
      }),
    );
  } finally {
    await pool.destroy();
  }
}

export async function post(pool: Pool, body: string): Promise<void> {
  const headers = { "content-type": "application/json" };
  const answer = await pool.request({ method: "POST", path: COLLECTION, headers, body });
  const text = await answer.body.text();
  if (answer.statusCode !== 201) throw new Error(`POST ${COLLECTION} answered ${answer.statusCode} ${text}`);
}

export interface InstanceList {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly Instance[];
}

export async function listInstances(server: string, limit = 0): Promise<InstanceList> {
  const answer = await fetch(`${server}${COLLECTION}?limit=${limit}`);
  if (!answer.ok) throw new Error(`GET ${COLLECTION} answered ${answer.status}`);
  // Our own server's list of this kind.
  return (await answer.json()) as InstanceList;
}

/** Looks until all instances are Ready. */
export async function untilReady(server: string, count: number, maxMs: number): Promise<void> {
  let unready: readonly Instance[] = [];
  try {
    await until(maxMs, "not all are Ready", async () => {
      const { items } = await listInstances(server);
      unready = items.filter((each) => findCondition(each, "Ready")?.status !== "True");
      return items.length === count && unready.length === 0;
    });
  } catch (error) {
    const [first] = unready;
    const reason = first && `${first.metadata.name}: ${findCondition(first, "Ready")?.message}`;
    throw new Error(`${unready.length} of ${count} instances are not Ready after ${maxMs} ms; ${reason}`, {
      cause: error,
    });
  }
}

export async function until(maxMs: number, otherwise: string, condition: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + maxMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`${otherwise} after ${maxMs} ms`);
    await sleep(LOOK_MS);
  }
}
