// The program as it runs in production, inside one life: API, admission, store on the database that outlives it, and the
// control loops. Every effect it has on the outside passes here, and may be the last one.
import { Registry } from "prom-client";
import { createApi } from "../../api/app.ts";
import { createAdmission } from "../../controller/admission/create-admission.ts";
import { ensureDefaultNamespace } from "../../controller/admission/namespace-rules.ts";
import { startControlLoops } from "../../controller/control-loops.ts";
import type { Clock } from "../../controller/kernel/clock.ts";
import type { Http } from "../../controller/kernel/http.ts";
import type { Log } from "../../controller/kernel/log.ts";
import type { Random } from "../../controller/kernel/random.ts";
import { flyMachines } from "../../controller/machines/client.ts";
import { databaseOn } from "../../controller/store/sqlite.ts";
import type { SqliteFile } from "../../controller/store/sqlite-file.ts";
import type { Store } from "../../controller/store/store.ts";
import { createReach } from "../../controller/transports/pool.ts";
import type { Transport } from "../../controller/transports/transport.ts";
import { KINDS } from "../../crds/kinds.ts";
import { actionOf } from "./faults.ts";
import { createLife, type Life, never } from "./life.ts";
import { simRunners, type Wires } from "./transport.ts";

export const APP = "workers";
export const TOKEN = "token";
export const BASE = "http://127.0.0.1:4280";
const DEFAULTS = { region: "iad", image: "ubuntu:22.04", size: "shared-cpu-1x", memoryMb: 256 };

/** Shorter than in production, so that many of them are simulated in minutes. */
export const RESYNC_MS = 60_000;
const WORKERS = 16;
/** Far less than in production, so that whoever is away for a minute has lost something. */
const HISTORY = { maxAgeMs: 10 * 60_000, maxEvents: 60 };

/** Something that the outside sees: a commit, a call, a connection, a command. */
export interface Effect {
  readonly name: string;
}

export interface Outside {
  readonly file: SqliteFile;
  readonly clock: Clock & { schedule(callback: () => void): void };
  readonly random: Random;
  readonly http: Http;
  readonly wires: Wires;
  readonly log: Log;
  readonly observeIntervalMs: number;
  readonly resyncMs: number;
  readonly orphanPolicy: "Report" | "Delete";
  skewMs(): number;
  /** Whether the process dies at this point. */
  dies(effect: Effect, when: "before" | "after"): boolean;
  /** A transaction is durable. */
  committed(): void;
  keysOf(uid: string): { readonly hostKey: string; readonly authorizedKeys: string };
  /** The store that a new process has opened. */
  opened(store: Store): void;
  /** Sees, and may replace, the store that the controllers write through. */
  controllersStore(store: Store): Store;
  fatal(error: Error): void;
}

export interface Process {
  readonly life: Life;
  /** The answer of the API; undefined when the process died before it had given one. */
  request(method: string, path: string, body?: unknown): Promise<Response | undefined>;
}

export function startProcess(outside: Outside): Process {
  const { file, random, log, fatal } = outside;
  const life = createLife();
  const clock = life.clock(outside.clock, outside.skewMs);

  function dies(effect: Effect, when: "before" | "after"): boolean {
    if (!life.dead && outside.dies(effect, when)) life.kill();
    return life.dead;
  }

  function effect<T>(name: string, act: () => Promise<T>): Promise<T> {
    const one = { name };
    if (life.dead || dies(one, "before")) return never();
    return life.reply(
      act().finally(() => {
        dies(one, "after");
      }),
    );
  }

  const { store, logs } = databaseOn(file, {
    history: HISTORY,
    clock,
    random,
    log,
    schedule: (flush) =>
      outside.clock.schedule(() => {
        const commit = { name: "commit" };
        if (life.dead || dies(commit, "before")) return;
        try {
          flush();
        } catch (error) {
          return fatal(error instanceof Error ? error : new Error(String(error))); // as an exception of a turn is
        }
        outside.committed();
        dies(commit, "after");
      }),
  });
  outside.opened(store);
  const http: Http = { send: (request, signal) => effect(actionOf(request), () => outside.http.send(request, signal)) };
  const wire = (transport: Transport): Transport => ({
    name: transport.name,
    connect: async (target, signal) => {
      const connection = await effect("connect", () => transport.connect(target, signal));
      return {
        transport: connection.transport,
        get alive() {
          return connection.alive;
        },
        run: (...args) => effect("command", () => connection.run(...args)),
        close: () => connection.close(),
      };
    },
  });

  const machines = flyMachines({ http, baseUrl: BASE, token: TOKEN, clock, random, log });
  const admission = createAdmission({ store, kinds: KINDS, defaults: DEFAULTS, random });
  const controllersStore = outside.controllersStore(store);
  const begin = async () => {
    await ensureDefaultNamespace(admission);
    startControlLoops({
      database: { store: controllersStore, logs },
      admission: createAdmission({ store: controllersStore, kinds: KINDS, defaults: DEFAULTS, random }),
      machines,
      reach: createReach({ clock, log, ssh: wire(outside.wires.ssh), exec: wire(outside.wires.exec) }),
      runners: simRunners,
      keysOf: outside.keysOf,
      clock,
      random,
      log,
      app: APP,
      observeIntervalMs: outside.observeIntervalMs,
      resyncMs: outside.resyncMs,
      workers: WORKERS,
      orphans: { policy: outside.orphanPolicy },
      fatal,
    });
  };
  begin().catch(fatal);
  const api = createApi({
    store,
    logs,
    admission,
    kinds: KINDS,
    clock,
    random,
    log,
    metrics: new Registry(),
    version: "0.0.0",
    loopback: true,
    execTimeoutMs: 30_000,
    backup: () => Promise.reject(new Error("no backups here")),
    ready: async () => ({ ok: true }),
    fatal,
  });

  async function request(method: string, path: string, body?: unknown): Promise<Response | undefined> {
    if (life.dead) return undefined;
    const request = new Request(`${BASE}${path}`, { method, body: body === undefined ? null : JSON.stringify(body) });
    const response = await Promise.race([life.reply(Promise.resolve(api.fetch(request))), life.ended]);
    return response === "killed" ? undefined : response;
  }

  return { life, request };
}
