// One call to the Machines API: within the budget, bounded in time, answered with parsed data or with a MachinesError
// that says what was attempted. Only a GET is ever sent twice.
import { createHash } from "node:crypto";
import { backoffMs } from "../kernel/backoff.ts";
import { type Clock, withTimeout } from "../kernel/clock.ts";
import type { Http, HttpRequest, HttpResponse } from "../kernel/http.ts";
import { isJsonObject } from "../kernel/json.ts";
import { type Log, silentLog } from "../kernel/log.ts";
import { jitter, type Random } from "../kernel/random.ts";
import { FLY_CALL_TIMEOUT_MS, FLY_GET_ATTEMPTS, FLY_GET_BACKOFF_MS } from "../limits.ts";
import { type Action, type Budget, flyBudget } from "./budget.ts";
import { type Attempt, errorOfAnswer, errorOfSilence, errorOfUnreadable } from "./errors.ts";
import { MachinesError } from "./machines.ts";
import { authorization } from "./token.ts";

export interface CallerOptions {
  readonly http: Http;
  /** Without `/v1`; flyctl's own variable FLY_FLAPS_BASE_URL has it so. */
  readonly baseUrl: string;
  readonly token: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly budget?: Budget | undefined;
  readonly log?: Log | undefined;
  /** Told of every answer and every silence (status undefined), for metrics. */
  readonly observe?: ((call: ObservedCall) => void) | undefined;
}

export interface ObservedCall {
  readonly action: Action;
  readonly status: number | undefined;
  readonly durationMs: number;
}

export interface Call {
  readonly action: Action;
  /** What the rate limit counts by: the machine's id, or the app's name. */
  readonly limitedBy: string;
  readonly method: HttpRequest["method"];
  /** Below `/v1`; build it with `path`. */
  readonly path: string;
  readonly query?: readonly [name: string, value: string][];
  readonly body?: unknown;
  readonly what: string;
  readonly timeoutMs?: number;
  /** Awaited between the budget's leave and the request; what it throws is thrown as it is. */
  readonly beforeSend?: (() => Promise<void>) | undefined;
  /** 1 for a GET that must not be repeated. */
  readonly attempts?: number;
}

export interface Answer<T> {
  readonly value: T;
  readonly headers: Readonly<Record<string, string>>;
}

/** Throws when the body is not what the API promises. */
export type Parse<T> = (body: string) => T;

export type Caller = <T>(call: Call, parse: Parse<T>, signal: AbortSignal) => Promise<Answer<T>>;

/** For calls whose status says it all. */
export const nothing: Parse<undefined> = () => undefined;

/** In Fly's JSON null and absent mean the same; `parse` sees only absent. */
export function json<T>(parse: (value: unknown) => T): Parse<T> {
  return (body) => {
    const value: unknown = JSON.parse(body);
    dropNulls(value);
    return parse(value ?? undefined);
  };
}

/**
 * For an answer that is asked for over and over and is mostly the same again: then it is not parsed again either. What
 * is kept is the last value, and a digest of its text rather than the text, which has megabytes.
 */
export function unlessSame<T>(parse: Parse<T>): Parse<T> {
  let last: { readonly digest: string; readonly value: T } | undefined;
  return (body) => {
    const digest = createHash("sha256").update(body).digest("base64");
    if (last?.digest !== digest) last = { digest, value: parse(body) };
    return last.value;
  };
}

export function path(strings: TemplateStringsArray, ...parts: readonly string[]): string {
  return strings.reduce((text, piece, index) => text + encodeURIComponent(parts[index - 1] ?? "") + piece);
}

export function caller(options: CallerOptions): Caller {
  const { http, clock, random } = options;
  const log = options.log ?? silentLog;
  const budget = options.budget ?? flyBudget(clock);
  const headers = { accept: "application/json", authorization: authorization(options.token), "user-agent": "flywheel" };

  return async function call(request, parse, signal) {
    const attempts = request.attempts ?? (request.method === "GET" ? FLY_GET_ATTEMPTS : 1);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await once(request, parse, signal);
      } catch (error) {
        if (!(error instanceof MachinesError) || error.class !== "down") throw error;
        if (attempt >= attempts || signal.aborted) throw error;
        log.debug({ err: error, attempt }, "read again");
        await pause(attempt, request, signal);
      }
    }
  };

  async function once<T>(request: Call, parse: Parse<T>, signal: AbortSignal): Promise<Answer<T>> {
    await allowance(request, signal);
    await request.beforeSend?.();
    const attempt: Attempt = { what: request.what, mutates: request.method !== "GET" };
    const answer = await exchange(request, attempt, signal);
    if (answer.status < 200 || answer.status > 299) {
      const error = errorOfAnswer(attempt, answer, clock.now());
      if (error.class === "throttled") budget.throttled(request.action, request.limitedBy, error.retryAfterMs);
      throw error;
    }
    try {
      return { value: parse(answer.body), headers: answer.headers };
    } catch (cause) {
      throw errorOfUnreadable(attempt, answer, cause);
    }
  }

  async function allowance(request: Call, signal: AbortSignal): Promise<void> {
    try {
      await budget.take(request.action, request.limitedBy, signal);
    } catch (cause) {
      throw new MachinesError("down", `${request.what}: given up before it was sent`, { cause });
    }
  }

  async function exchange(request: Call, attempt: Attempt, signal: AbortSignal): Promise<HttpResponse> {
    const startMs = clock.monotonic();
    const timeoutMs = request.timeoutMs ?? FLY_CALL_TIMEOUT_MS;
    const done = (status: number | undefined) =>
      options.observe?.({ action: request.action, status, durationMs: clock.monotonic() - startMs });
    try {
      const answer = await withTimeout(clock, timeoutMs, request.what, signal, (bounded) =>
        http.send(toHttp(request), bounded),
      );
      done(answer.status);
      return answer;
    } catch (cause) {
      done(undefined);
      throw errorOfSilence(attempt, cause);
    }
  }

  function toHttp(request: Call): HttpRequest {
    const query = new URLSearchParams(request.query).toString();
    const url = `${options.baseUrl}/v1${request.path}${query === "" ? "" : `?${query}`}`;
    if (request.body === undefined) return { method: request.method, url, headers };
    return {
      method: request.method,
      url,
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify(request.body),
    };
  }

  async function pause(attempt: number, request: Call, signal: AbortSignal): Promise<void> {
    const waitMs = jitter(random, backoffMs({ baseMs: FLY_GET_BACKOFF_MS, maxMs: 5000 }, attempt), 0.5);
    try {
      await clock.sleep(waitMs, signal);
    } catch (cause) {
      throw new MachinesError("down", `${request.what}: given up between attempts`, { cause });
    }
  }
}

/** In place: nobody else has what was just parsed. An item of a list that is null stays, to keep the others' places. */
function dropNulls(value: unknown): void {
  if (Array.isArray(value)) for (const item of value) dropNulls(item);
  else if (isJsonObject(value))
    for (const [key, member] of Object.entries(value)) {
      if (member === null) Reflect.deleteProperty(value, key);
      else dropNulls(member);
    }
}
