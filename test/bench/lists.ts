// The first page of ten thousand instances, as kubectl asks for it: 500 at a time, whole and as a table.
import { percentile, rounded } from "./figures.ts";
import { COLLECTION, instanceOf, nameOf } from "./manifest.ts";
import type { Bench, Figure } from "./measure.ts";
import type { LoadProcedures } from "./programs/load.ts";

const BODY_BYTES = 2048;
const CONNECTIONS = 32;
const PAGE = 500;
const REQUESTS = 30;
const FIRST_PAGE_MAX_MS = 100;
const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

export async function lists({ processes, folder, options, scope, say }: Bench): Promise<Figure> {
  const count = options.listed;
  const load = processes.start<LoadProcedures>("load", [], scope);
  const server = await processes.server(folder, { CONTROLLERS: "none" }, scope);
  const name = nameOf("listed-", 0);
  const [head = "", tail = ""] = instanceOf(name, BODY_BYTES).split(name);
  say(`making ${count} instances`);
  await load.call("write", {
    origin: server,
    path: COLLECTION,
    prefix: "l-",
    head,
    tail,
    connections: CONNECTIONS,
    count,
  });

  async function firstPage(accept: string): Promise<readonly number[]> {
    const times: number[] = [];
    for (let request = 0; request < REQUESTS; request += 1) {
      const beganMs = performance.now();
      const answer = await fetch(`${server}${COLLECTION}?limit=${PAGE}`, { headers: { accept } });
      await answer.arrayBuffer();
      times.push(performance.now() - beganMs);
    }
    return times;
  }

  const [whole, table] = [await firstPage("application/json"), await firstPage(TABLE)];
  const [worst, first] = [percentile([...whole, ...table], 0.99), whole[0] ?? 0];
  return {
    value: { p99Ms: rounded(worst), firstMs: rounded(first) },
    target: { p99Ms: FIRST_PAGE_MAX_MS },
    ok: worst < FIRST_PAGE_MAX_MS,
    detail: {
      unit: "ms from asking to the last byte",
      instances: count,
      page: PAGE,
      wholeP50Ms: rounded(percentile(whole, 0.5)),
      tableP50Ms: rounded(percentile(table, 0.5)),
    },
  };
}
