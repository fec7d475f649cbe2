// What the face is made of, and the types that its files share.
import type { Context, Hono } from "hono";
import type { Registry } from "prom-client";
import type { Admission } from "../controller/admission/admission.ts";
import type { Clock } from "../controller/kernel/clock.ts";
import type { Log } from "../controller/kernel/log.ts";
import type { Random } from "../controller/kernel/random.ts";
import type { Backup } from "../controller/store/backup.ts";
import type { LogStore, Store } from "../controller/store/store.ts";
import type { KindDef } from "../crds/resource.ts";

export interface ApiOptions {
  readonly store: Store;
  readonly logs: LogStore;
  readonly admission: Admission;
  readonly kinds: readonly KindDef[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Registry;
  /** Of this program, such as 0.1.0. */
  readonly version: string;
  /** Bearer token with full rights; without one there is no authentication. */
  readonly apiKey?: string | undefined;
  /** True when listening on loopback: the Host header must then name this computer. */
  readonly loopback: boolean;
  /** Of an exec that names no timeout. */
  readonly execTimeoutMs: number;
  /** A copy of the database and of the keys that belong to it. */
  backup(signal: AbortSignal): Promise<Backup>;
  /** Makes instances anew from machines that have none; undefined where no controllers run. */
  readonly adopt?: Adopt | undefined;
  /** Whether the rest of the process does its work; the store is asked beside it. */
  ready(): Promise<{ readonly ok: boolean; readonly message?: string }>;
  /** Gets what our own code rules out: the process should die of it. */
  fatal(error: Error): void;
}

/** Answers one item for each machine that was looked at. */
export type Adopt = (
  request: {
    /** All of the app when absent. */
    readonly machines?: readonly string[] | undefined;
    readonly namespace?: string | undefined;
    /** Ids of former controllers whose machines are claimed. */
    readonly controllers: readonly string[];
    readonly dryRun: boolean;
  },
  signal: AbortSignal,
) => Promise<readonly object[]>;

export interface ApiEnv {
  Bindings: {
    /** Aborts when the server closes: streams end at once, waits answer with what they know. */
    readonly closing?: AbortSignal;
  };
  Variables: { requestId: string };
}

export type Api = Hono<ApiEnv>;
export type ApiContext = Context<ApiEnv>;

/** Aborts when the client has gone or the server closes. */
export function endOf(c: ApiContext): AbortSignal {
  const closing = closingOf(c);
  return closing ? AbortSignal.any([closing, c.req.raw.signal]) : c.req.raw.signal;
}

/** Requests that are made in memory come without bindings, whatever the type says. */
export function closingOf(c: ApiContext): AbortSignal | undefined {
  const bindings: ApiEnv["Bindings"] | undefined = c.env;
  return bindings?.closing;
}
