// What goes wrong, as ratios: per call for what happens to a call, per user operation for what befalls machines, hosts, Fly
// and the process. All of it ends when the storm is over.

import type { Clock } from "../../controller/kernel/clock.ts";
import type { Http, HttpRequest, HttpResponse } from "../../controller/kernel/http.ts";
import type { Random } from "../../controller/kernel/random.ts";
import { CREATE_SETTLE_MS } from "../../controller/limits.ts";
import type { FlyCall } from "./pauses.ts";
import type { Trace } from "./trace.ts";

/** Shares of the calls to Fly. */
export interface CallRatios {
  readonly replyLost: number;
  readonly refused: number;
  readonly throttled: number;
  readonly slow: number;
  readonly truncated: number;
  readonly staleList: number;
  readonly emptyList: number;
  /** About half of the machines are missing. */
  readonly partialList: number;
  /** The first machine is shown twice. */
  readonly doubledList: number;
  /** Nobody takes the connection. */
  readonly unconnected: number;
  /** The reply is given up, and only then the call takes effect. */
  readonly late: number;
  /** A machine is shown as it was a moment ago. */
  readonly staleGet: number;
  /** A machine is in a state that nobody has heard of. */
  readonly unknownState: number;
  /** 200 with something else in it. */
  readonly nonsense: number;
}

export interface Ratios {
  readonly call: CallRatios;
  /** Per effect of the process, twice: it dies right before it, or after it and before its reply. */
  readonly crash: number;
  /** Per command to a machine, before and after. */
  readonly wire: number;
  /** Per transaction: the disk is full, or the file is locked. */
  readonly commit: number;
  /** Per user operation: one of the blows of `blows.ts`. */
  readonly blow: number;
}

export const CALM: Ratios = {
  call: {
    replyLost: 0,
    refused: 0,
    throttled: 0,
    slow: 0,
    truncated: 0,
    staleList: 0,
    emptyList: 0,
    partialList: 0,
    doubledList: 0,
    unconnected: 0,
    late: 0,
    staleGet: 0,
    unknownState: 0,
    nonsense: 0,
  },
  crash: 0,
  commit: 0,
  wire: 0,
  blow: 0,
};

export const STORM: Ratios = {
  call: {
    replyLost: 0.04,
    refused: 0.05,
    throttled: 0.02,
    slow: 0.03,
    truncated: 0.02,
    staleList: 0.05,
    emptyList: 0.02,
    partialList: 0.03,
    doubledList: 0.02,
    unconnected: 0.01,
    late: 0.02,
    staleGet: 0.03,
    unknownState: 0.01,
    nonsense: 0.01,
  },
  crash: 0.003,
  commit: 0.005,
  wire: 0.03,
  blow: 0.25,
};

interface ErrorAnswer {
  readonly status: number;
  readonly body: string;
  /** Only these calls are answered so. */
  readonly to?: RegExp;
}

const json = (error: string, status?: string) => JSON.stringify({ error, status });

/** Answers of calls that had no effect, as Fly and what stands before it were seen to give them. */
const ERRORS: readonly ErrorAnswer[] = [
  { status: 408, body: json("deadline_exceeded: context deadline exceeded") },
  { status: 500, body: json("internal server error") },
  { status: 502, body: "<html><body>502 Bad Gateway</body></html>" },
  { status: 503, body: json("unavailable: try again") },
  { status: 504, body: "upstream request timeout" },
  {
    status: 409,
    body: json("aborted: could not reserve resource for machine: insufficient memory available"),
    to: /^(POST create|POST update|POST start)/,
  },
  { status: 412, body: json("failed_precondition: machine still active, refusing to start"), to: /^POST start/ },
  { status: 400, body: json("could not find a candidate host: no capacity"), to: /^POST create/ },
  { status: 422, body: json("insufficient resources available", "insufficient_capacity"), to: /^POST create/ },
  { status: 403, body: json("organization is over the allowed quota of machines"), to: /^POST create/ },
];

export interface FaultyHttpOptions {
  readonly http: Http;
  readonly clock: Clock;
  readonly random: Random;
  readonly trace: Trace;
  ratios(): CallRatios;
  /** A create call gets no answer: for how long no list shows its machine, although its name is taken. */
  hidesMs(): number;
  /** A call leaves the process; what is returned is told what comes back. */
  called(call: FlyCall): (answer: HttpResponse) => void;
  /** An answer that Fly itself gave, before anything here spoils it. */
  answered(action: string, status: number): void;
  /** A call is on its way that will take effect when nobody waits for it any more. */
  delayed(action: string): void;
}

/** How old a list may be that is shown again. */
const STALE_MS = 20_000;
const SLOW_MAX_MS = 45_000;
const STALE_GET_MS = 3_000;
/** Within the time for which the absence of what was asked for has to last. */
const LATE_MAX_MS = CREATE_SETTLE_MS - 5_000;
/** Calls that change a machine; a command on one is not among them. */
const CHANGES = /^(?:POST (?:create|update|start|stop|suspend)|DELETE destroy)/;

export function faultyHttp(options: FaultyHttpOptions): Http {
  const { http, clock, random, trace } = options;
  const hiddenUntil = new Map<string, number>();
  const shownAt = new Map<string, { readonly atMs: number; readonly response: HttpResponse }>();

  async function send(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
    const action = actionOf(request);
    const told = options.called({ action, wanted: action === "POST create" ? wantedOf(request) : undefined });
    const answer = await exchange(request, action, signal);
    told(answer);
    return answer;
  }

  async function exchange(request: HttpRequest, action: string, signal: AbortSignal): Promise<HttpResponse> {
    const ratios = options.ratios();
    const strikes = (ratio: number) => ratio > 0 && random.next() < ratio;
    const note = (what: string) => trace.add(`fly  ${action} -> ${what}`);
    if (strikes(ratios.refused)) {
      const fitting = ERRORS.filter(({ to }) => to === undefined || to.test(action));
      const error = pick(random, fitting);
      note(`${error.status} (injected)`);
      return answerOf(error.status, error.body);
    }
    if (strikes(ratios.throttled)) {
      note("429 (injected)");
      const headers = random.next() < 0.5 ? { "retry-after": "2" } : {};
      return { ...answerOf(429, json("rate limit exceeded")), headers };
    }
    if (strikes(ratios.unconnected)) {
      note("connection refused");
      throw Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    }
    if (CHANGES.test(action) && strikes(ratios.late)) {
      note("reply given up, effect to come");
      options.delayed(action);
      void clock.sleep(random.next() * LATE_MAX_MS).then(() => takeEffect(request, action));
      throw new Error("socket hang up");
    }
    const response = await http.send(request, signal);
    options.answered(action, response.status);
    note(String(response.status));
    if (response.status === 200 && strikes(ratios.nonsense)) {
      note("shown as something else");
      return { ...response, body: pick(random, ["{}", "null", '{"status":"ok"}', "<html></html>"]) };
    }
    if (action.startsWith("GET get")) return shownLately(request, response, strikes, ratios, note);
    if (action.startsWith("GET list")) return listed(request, withoutHidden(response), strikes, ratios, note);
    if (strikes(ratios.replyLost)) {
      note("reply lost");
      hide(action, response);
      throw new Error("socket hang up");
    }
    if (strikes(ratios.truncated)) {
      note("reply cut off");
      hide(action, response);
      return { ...response, body: response.body.slice(0, Math.floor(response.body.length * random.next())) };
    }
    if (strikes(ratios.slow)) {
      note("reply slow");
      await clock.sleep(random.next() * SLOW_MAX_MS, signal);
    }
    return response;
  }

  function hide(action: string, { status, body }: HttpResponse): void {
    if (action !== "POST create" || status !== 200) return;
    const { id }: { readonly id: string } = JSON.parse(body); // a machine
    hiddenUntil.set(id, clock.monotonic() + options.hidesMs());
  }

  function withoutHidden(response: HttpResponse): HttpResponse {
    const now = clock.monotonic();
    if (response.status !== 200 || ![...hiddenUntil.values()].some((untilMs) => now < untilMs)) return response;
    const machines: { readonly id: string }[] = JSON.parse(response.body); // a list is an array of machines
    const shown = machines.filter(({ id }) => now >= (hiddenUntil.get(id) ?? 0));
    return { ...response, body: JSON.stringify(shown) };
  }

  async function takeEffect(request: HttpRequest, action: string): Promise<void> {
    const { status } = await http.send(request, new AbortController().signal);
    trace.add(`fly  ${action} -> ${status}, long after`);
  }

  function shownLately(
    { url }: HttpRequest,
    response: HttpResponse,
    strikes: (ratio: number) => boolean,
    ratios: CallRatios,
    note: (what: string) => void,
  ): HttpResponse {
    const before = shownAt.get(url);
    const now = clock.monotonic();
    if (before && now - before.atMs < STALE_GET_MS && strikes(ratios.staleGet)) {
      note(`shown as ${Math.round(now - before.atMs)} ms ago`);
      return before.response;
    }
    if (response.status !== 200) return response;
    shownAt.set(url, { atMs: now, response });
    if (!strikes(ratios.unknownState)) return response;
    note("shown in a state unheard of");
    return { ...response, body: JSON.stringify({ ...JSON.parse(response.body), state: "hibernating" }) };
  }

  function listed(
    { url }: HttpRequest,
    response: HttpResponse,
    strikes: (ratio: number) => boolean,
    ratios: CallRatios,
    note: (what: string) => void,
  ): HttpResponse {
    const before = shownAt.get(url);
    const now = clock.monotonic();
    if (before && now - before.atMs < STALE_MS && strikes(ratios.staleList)) {
      note(`shown as ${Math.round(now - before.atMs)} ms ago`);
      return before.response;
    }
    if (response.status !== 200) return response;
    shownAt.set(url, { atMs: now, response });
    const shown = (what: string, change: (machines: unknown[]) => unknown[]): HttpResponse => {
      note(what);
      const machines: unknown[] = JSON.parse(response.body); // a list is an array
      return { ...response, body: JSON.stringify(change(machines)) };
    };
    if (strikes(ratios.emptyList)) return shown("shown empty", () => []);
    if (strikes(ratios.partialList)) return shown("shown in part", (all) => all.filter(() => random.next() < 0.5));
    if (strikes(ratios.doubledList)) return shown("shown doubled", (all) => [...all, ...all.slice(0, 1)]);
    return response;
  }

  return { send };
}

/** `POST create`, `GET list`, `GET get 148e…`: what a call does, and to what. */
export function actionOf({ method, url }: HttpRequest): string {
  const { pathname, searchParams } = new URL(url);
  const [id, verb, ...rest] = pathname
    .replace(/^\/v1\/apps\/?/, "")
    .split("/")
    .slice(2);
  if (id === undefined) return method === "GET" && !pathname.endsWith("/machines") ? "GET app" : listOrCreate();
  if (verb === undefined)
    return `${method} ${{ GET: "get", POST: "update", DELETE: "destroy" }[String(method)] ?? "?"} ${id}`;
  return `${method} ${verb} ${id} ${rest.join("/")}`.trim();

  function listOrCreate(): string {
    if (method !== "GET") return pathname.endsWith("/machines") ? `${method} create` : `${method} app`;
    return searchParams.get("include_deleted") === "true" ? "GET list all" : "GET list";
  }
}

function wantedOf({ body }: HttpRequest): string {
  const { name, region }: { name?: string; region?: string } = JSON.parse(body ?? "{}");
  return `${name} in ${region}`;
}

function answerOf(status: number, body: string): HttpResponse {
  return { status, headers: {}, body };
}

export function pick<T>(random: Random, from: readonly T[]): T {
  const picked = from[Math.floor(random.next() * from.length)];
  if (picked === undefined) throw new Error("nothing to pick from");
  return picked;
}
