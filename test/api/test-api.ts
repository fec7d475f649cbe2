// The API over a real store in memory, on a clock that stands still until told.
import { Registry } from "prom-client";
import type { Api, ApiOptions } from "../../api/api.ts";
import { createApi } from "../../api/app.ts";
import { createAdmission } from "../../controller/admission/create-admission.ts";
import { ensureDefaultNamespace } from "../../controller/admission/namespace-rules.ts";
import { silentLog } from "../../controller/kernel/log.ts";
import { seededRandom } from "../../controller/kernel/random.ts";
import { openSqlite } from "../../controller/store/sqlite.ts";
import { KINDS } from "../../crds/kinds.ts";
import { type VirtualClock, virtualClock } from "../virtual-clock.ts";

/** What tests look at in answers; each answer has some of it, and a missing member fails the expectation. */
export interface Body {
  readonly metadata: Readonly<Record<"name" | "uid" | "resourceVersion" | "continue", string>> & {
    readonly generation: number;
    readonly remainingItemCount: number;
    readonly labels: object;
  };
  readonly items: readonly Body[];
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status: unknown;
  readonly message: string;
  readonly details: { readonly causes: readonly { reason: string; field: string; message: string }[] };
  readonly id: string;
  readonly name: string;
  readonly executionId: string;
  readonly error: { readonly code: string; readonly message: string; readonly details: readonly object[] };
  readonly [member: string]: unknown;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

export interface TestApi extends ApiOptions {
  readonly api: Api;
  readonly clock: VirtualClock;
  send(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
}

export interface TestApiOptions extends Partial<ApiOptions> {
  readonly file?: string;
}

export const DEFAULTS = { region: "iad", image: "ubuntu:22.04", size: "shared-cpu-1x", memoryMb: 256 };

/** With a `file` there is something to back up. */
export async function testApi({ file, ...overrides }: TestApiOptions = {}): Promise<TestApi> {
  const virtual = virtualClock();
  const clock = overrides.clock ?? virtual;
  const random = seededRandom(1);
  const { store, logs, backup } = await openSqlite({ file: file ?? ":memory:", clock, random });
  const admission = createAdmission({ store, kinds: KINDS, defaults: DEFAULTS, random });
  await ensureDefaultNamespace(admission);
  const options: ApiOptions = {
    store,
    logs,
    admission,
    kinds: KINDS,
    clock,
    random,
    log: { ...silentLog, error: (fields) => process.stderr.write(`${String(fields.error)}\n`) },
    metrics: new Registry(),
    version: "0.1.0",
    loopback: true,
    execTimeoutMs: 30_000,
    backup: (signal) => backup({ version: "0.1.0", app: "workers", files: [], elsewhere: [] }, signal),
    ready: async () => ({ ok: true }),
    fatal: (error) => {
      throw error;
    },
    ...overrides,
  };
  const api = createApi(options);

  async function send(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
    const response = await api.request(path, {
      method,
      headers, // Bytes carry no type of their own: what is not in `headers` is left to the server's default.
      ...(text === undefined ? {} : { body: new TextEncoder().encode(text) }),
    });
    const raw = await response.text();
    const json = response.headers.get("content-type")?.startsWith("application/json") === true;
    return { status: response.status, headers: response.headers, body: json ? JSON.parse(raw) : raw };
  }

  return { ...options, clock: virtual, api, send };
}

export const INSTANCES = "/apis/fly.lightfast.ai/v1/namespaces/default/instances";
export const WORKFLOWS = "/apis/fly.lightfast.ai/v1/namespaces/default/workflows";
export const RUNS = "/apis/fly.lightfast.ai/v1/namespaces/default/workflowruns";

export function instance(name: string, spec: object = {}, metadata: object = {}): object {
  return { apiVersion: "fly.lightfast.ai/v1", kind: "Instance", metadata: { name, ...metadata }, spec };
}

export function workflow(name: string, spec: object): object {
  return { apiVersion: "fly.lightfast.ai/v1", kind: "Workflow", metadata: { name }, spec };
}

/** Reads an endless answer line by line; `cancel` hangs up as a client does. */
export function lines(response: Response): { next(): Promise<unknown>; cancel(): Promise<void> } {
  if (!response.body) throw new TypeError("the answer has no body");
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  return {
    async next() {
      for (;;) {
        const end = rest.indexOf("\n");
        if (end >= 0) {
          const line = rest.slice(0, end);
          rest = rest.slice(end + 1);
          return JSON.parse(line);
        }
        const { value, done } = await reader.read();
        if (done) return undefined;
        rest += value;
      }
    },
    cancel: () => reader.cancel(),
  };
}
