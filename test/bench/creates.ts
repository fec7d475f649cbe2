// Durable creates over HTTP, held against what the parts that cannot be avoided would allow: parsing the body in a bare
// hono route, and committing the document in groups. All three take turns in one run, since a machine differs from one
// minute to the next.

import { inSeries, median, percentile, rounded } from "./figures.ts";
import { COLLECTION, instanceOf, nameOf } from "./manifest.ts";
import type { Bench, Figure } from "./measure.ts";
import type { BareRouteProcedures } from "./programs/bare-route.ts";
import type { GroupCommitsProcedures } from "./programs/group-commits.ts";
import type { LoadProcedures } from "./programs/load.ts";

const CONNECTIONS = 32;
const BODY_BYTES = 2048;
const RATIO_MIN = 0.3;

interface Round {
  readonly bareRoute: number;
  readonly groupCommits: number;
  readonly creates: number;
  readonly latenciesMs: readonly number[];
}

export async function creates({ processes, folder, options, scope, say }: Bench): Promise<Figure> {
  const { rounds, seconds } = options;
  const load = processes.start<LoadProcedures>("load", [], scope);
  const bareRoute = processes.start<BareRouteProcedures>("bare-route", [], scope);
  const groupCommits = processes.start<GroupCommitsProcedures>("group-commits", [folder], scope);
  const server = await processes.server(folder, { CONTROLLERS: "none" }, scope);
  const bare = await bareRoute.call("origin");
  const name = nameOf("document-", 0);
  const document = instanceOf(name, BODY_BYTES);
  const [head = "", tail = ""] = document.split(name);

  const post = (origin: string, path: string, prefix: string, lengthSeconds: number) =>
    load.call("run", { origin, path, prefix, head, tail, connections: CONNECTIONS, seconds: lengthSeconds });

  async function round(index: number, lengthSeconds: number): Promise<Round> {
    const a = await post(bare, "/instances", `r${index}-`, lengthSeconds);
    const b = await groupCommits.call("run", { document, seconds: lengthSeconds });
    const c = await post(server, COLLECTION, `r${index}-`, lengthSeconds);
    return {
      bareRoute: a.perSecond,
      groupCommits: b.perSecond,
      creates: c.perSecond,
      latenciesMs: c.latenciesMs,
    };
  }

  say("warming up");
  await round(0, Math.min(2, seconds));
  const measured: Round[] = [];
  for (let index = 1; index <= rounds; index += 1) {
    const each = await round(index, seconds);
    measured.push(each);
    say(
      `round ${index}: bare route ${Math.round(each.bareRoute)}/s, group commits ${Math.round(each.groupCommits)}/s, creates ${Math.round(each.creates)}/s`,
    );
  }
  return figureOf(measured);
}

function figureOf(rounds: readonly Round[]): Figure {
  const bareRoute = median(rounds.map((each) => each.bareRoute));
  const groupCommits = median(rounds.map((each) => each.groupCommits));
  const perSecond = median(rounds.map((each) => each.creates));
  const ratios = rounds.map((each) => each.creates / inSeries(each.bareRoute, each.groupCommits));
  const ratio = median(ratios);
  const latenciesMs = rounds.flatMap((each) => each.latenciesMs);
  return {
    value: rounded(ratio, 3),
    target: RATIO_MIN,
    ok: ratio >= RATIO_MIN,
    detail: {
      unit: "durable creates/s by 1/(1/bareRoutePerSecond + 1/groupCommitsPerSecond), each round by its own; medians of rounds",
      createsPerSecond: Math.round(perSecond),
      bareRoutePerSecond: Math.round(bareRoute),
      groupCommitsPerSecond: Math.round(groupCommits),
      boundPerSecond: Math.round(inSeries(bareRoute, groupCommits)),
      p50Ms: rounded(percentile(latenciesMs, 0.5)),
      p99Ms: rounded(percentile(latenciesMs, 0.99)),
      bodyBytes: BODY_BYTES,
      connections: CONNECTIONS,
      rounds: ratios.map((each) => rounded(each, 3)),
    },
  };
}
