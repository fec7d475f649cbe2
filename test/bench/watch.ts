// Fan-out: every update of one object reaches a hundred watchers, each a connection to a process that counts lines.
import { rounded } from "./figures.ts";
import { COLLECTION, instanceOf, nameOf } from "./manifest.ts";
import type { Bench, Figure } from "./measure.ts";
import type { LoadProcedures } from "./programs/load.ts";
import type { WatchersProcedures } from "./programs/watchers.ts";

const BODY_BYTES = 2048;
const CONNECTIONS = 16;
/** etcd 3.4 did 58,000 to 68,000 with clients that parse, a kube-apiserver 17,000 to 28,000. */
const EVENTS_PER_SECOND_MIN = 100_000;

export async function watch({ processes, folder, options, scope, say }: Bench): Promise<Figure> {
  const { watchers, updates } = options;
  const clients = processes.start<WatchersProcedures>("watchers", [], scope);
  const load = processes.start<LoadProcedures>("load", [], scope);
  const server = await processes.server(folder, { CONTROLLERS: "none" }, scope);
  const name = nameOf("watched-", 0);
  const [head = "", tail = ""] = instanceOf(name, BODY_BYTES).split(name);
  const write = (count: number, prefix: string) =>
    load.call("write", { origin: server, path: COLLECTION, prefix, head, tail, connections: CONNECTIONS, count });

  async function round(index: number, count: number): Promise<number> {
    const revision = await newestRevision(server);
    await clients.call("open", {
      url: `${server}${COLLECTION}?watch=true&resourceVersion=${revision}`,
      connections: watchers,
    });
    const counted = clients.call("counted", { expected: watchers * count });
    await write(count, `w${index}-`);
    const { lines, ms } = await counted;
    await clients.call("close");
    const perSecond = lines / (ms / 1000);
    say(`round ${index}: ${lines} events in ${Math.round(ms)} ms, ${Math.round(perSecond)}/s`);
    return perSecond;
  }

  await round(0, Math.min(updates, 200));
  const rates: number[] = [];
  for (let index = 1; index <= options.rounds; index += 1) rates.push(await round(index, updates));
  const best = Math.max(...rates);
  return {
    value: rounded(best, 0),
    target: EVENTS_PER_SECOND_MIN,
    ok: best >= EVENTS_PER_SECOND_MIN,
    detail: { unit: "events/s, best of the rounds", watchers, updates, rates: rates.map((rate) => rounded(rate, 0)) },
  };
}

async function newestRevision(server: string): Promise<string> {
  const answer = await fetch(`${server}${COLLECTION}?limit=1`);
  const { metadata } = (await answer.json()) as { metadata: { resourceVersion: string } }; // a list of Kubernetes' shape
  return metadata.resourceVersion;
}
